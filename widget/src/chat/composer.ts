// The sheet at the bottom: text, files by button, paste and drop, and what is asked before the first message.
import { type Api, type Ask, type FileOut, type Look, Problem } from "./api";
import { el, icon } from "./dom";
import { fault, type Language, words } from "./words";

export interface Composer {
  node: HTMLElement;
  focus(): void;
  /** Say why something did not work; empty: nothing to say. */
  complain(text: string): void;
  /** The first message is sent: ask no more. */
  known(): void;
}

interface Chip {
  node: HTMLElement;
  file: FileOut | null;
}

const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

export function composer(options: {
  api: Api;
  look: Look;
  lang: Language;
  drop: HTMLElement;
  draft: { get(): string; set(text: string): void };
  profile: { name: string; email: string };
  typing: () => void;
  /** Before a file is uploaded: the visitor means to speak. */
  begin: () => void;
  send: (text: string, files: FileOut[], profile: { name?: string; email?: string }) => void;
}): Composer {
  const { api, look } = options;
  const texts = words(options.lang);
  const chips: Chip[] = [];
  let asking = true;

  const label = { "aria-label": texts.placeholder, placeholder: texts.placeholder };
  const text = el("textarea", { ...label, rows: "1", maxlength: String(look.max_text), "data-testid": "chat-text" });
  const pick = el("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", "data-testid": "chat-files" });
  const clip = el("button", { type: "button", class: "tool", "aria-label": texts.attach, title: texts.attach }, icon("clip"));
  const go = el("button", { type: "submit", class: "go", "aria-label": texts.send, title: texts.send, "data-testid": "chat-send" }, icon("send"));
  const row = el("div", { class: "chips" });
  const fault_ = el("p", { class: "fault", role: "alert" });
  const name = field("name", look.ask_name, options.profile.name, { autocomplete: "name", maxlength: "200" });
  const email = field("email", look.ask_email, options.profile.email, { autocomplete: "email", inputmode: "email", maxlength: "320" });
  const asked = [name, email].filter((input) => input !== null);
  const about = el("div", { class: "about" }, ...asked.map((input) => input.parentElement as HTMLElement));
  const sheet = el("form", { class: "composer", novalidate: true }, fault_, about, row, el("div", { class: "line" }, clip, text, go), pick);
  clip.hidden = look.max_file_bytes === 0;

  function field(kind: "name" | "email", ask: Ask, value: string, more: Record<string, string>): HTMLInputElement | null {
    if (ask === "no") return null;
    const input = el("input", { ...more, name: kind, "data-testid": `chat-${kind}` });
    input.value = value;
    input.required = ask === "required";
    const hint = ask === "optional" ? [" ", el("small", {}, texts.optional)] : [];
    el("label", {}, el("span", {}, texts[kind], ...hint), input);
    return input;
  }

  function complain(reason: string): void {
    fault_.textContent = reason;
  }

  function fits(): void {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
    const busy = chips.some((chip) => !chip.file);
    go.disabled = busy || (!text.value.trim() && !chips.length);
    row.hidden = !chips.length;
    about.hidden = !asking || !asked.length;
  }

  async function attach(file: File): Promise<void> {
    complain("");
    if (chips.length >= look.max_files) return complain(fault(texts, "too_many_files"));
    if (file.size > look.max_file_bytes) return complain(fault(texts, "too_large"));
    if (file.size === 0) return complain(fault(texts, "empty_file"));
    const away = el("button", { type: "button", "aria-label": `${texts.remove}: ${file.name}` }, icon("close"));
    const chip: Chip = { node: el("span", { class: "chip busy" }, el("span", {}, file.name || "image"), away), file: null };
    const remove = (): void => {
      if (chips.includes(chip)) chips.splice(chips.indexOf(chip), 1);
      chip.node.remove();
      fits();
    };
    away.onclick = () => {
      remove();
      text.focus();
    };
    chips.push(chip);
    row.append(chip.node);
    fits();
    try {
      options.begin();
      chip.file = await api.upload(file);
      chip.node.classList.remove("busy");
      fits();
    } catch (error) {
      remove();
      complain(fault(texts, error instanceof Problem ? error.code : "error"));
    }
  }

  /** What the visitor said about himself, or null when something needed is missing. */
  function answers(): { name?: string; email?: string } | null {
    if (!asking) return {};
    for (const input of asked) {
      const value = input.value.trim();
      const wrong = input.required ? !value : false;
      if (wrong || (input === email && value && !EMAIL.test(value))) {
        complain(input === email ? texts.need_email : texts.need_name);
        input.setAttribute("aria-invalid", "true");
        input.focus();
        return null;
      }
      input.removeAttribute("aria-invalid");
    }
    return { name: name?.value.trim() || undefined, email: email?.value.trim() || undefined };
  }

  function submit(): void {
    if (go.disabled) return;
    const said = answers();
    if (!said) return;
    const files = chips.splice(0).map((chip) => chip.file as FileOut);
    options.send(text.value.trim(), files, said);
    row.replaceChildren();
    text.value = "";
    options.draft.set("");
    asking = false;
    complain("");
    fits();
    text.focus();
  }

  sheet.onsubmit = (event) => {
    event.preventDefault();
    submit();
  };
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  text.oninput = () => {
    options.draft.set(text.value);
    if (text.value) options.typing();
    fits();
  };
  text.onpaste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !look.max_file_bytes) return;
    event.preventDefault();
    files.forEach((file) => void attach(file));
  };
  clip.onclick = () => pick.click();
  pick.onchange = () => {
    [...(pick.files ?? [])].forEach((file) => void attach(file));
    pick.value = "";
    text.focus();
  };
  if (look.max_file_bytes) dropping(options.drop, texts.drop, (file) => void attach(file));
  text.value = options.draft.get();
  queueMicrotask(fits);

  return {
    node: sheet,
    focus() {
      const empty = asking ? asked.find((input) => input.required && !input.value) : undefined;
      (empty ?? text).focus();
      fits();
    },
    complain,
    known() {
      asking = false;
      fits();
    },
  };
}

function dropping(zone: HTMLElement, words: string, take: (file: File) => void): void {
  zone.dataset.drop = words;
  zone.ondragover = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("dropping");
  };
  zone.ondragleave = (event) => {
    if (!zone.contains(event.relatedTarget as Node | null)) zone.classList.remove("dropping");
  };
  zone.ondrop = (event) => {
    zone.classList.remove("dropping");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    [...event.dataTransfer.files].forEach(take);
  };
}
