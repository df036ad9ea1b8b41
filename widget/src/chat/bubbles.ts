// One message on the screen: text, pictures, files, time, state.
import type { Api, FileOut } from "./api";
import { el, icon, linked } from "./dom";
import type { Item } from "./thread";
import { clock, fault, type Language, size, words } from "./words";

export interface Bubbles {
  /** Element of a message, the first or last of a turn; the same as long as nothing changed in it. */
  of(item: Item, first: boolean, last: boolean): HTMLElement;
}

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

export function bubbles(options: {
  api: Api;
  lang: Language;
  retry: (key: string) => void;
  discard: (key: string) => void;
  /** A picture got its size. */
  grown: () => void;
}): Bubbles {
  const { api, lang } = options;
  const texts = words(lang);
  const made = new Map<string, { mark: string; node: HTMLElement }>();
  const blobs = new Map<string, Promise<string>>();

  /** Fetched with the token in a header, so that it stands in no address. */
  function blob(id: string): Promise<string> {
    let url = blobs.get(id);
    if (!url) {
      url = api.file(id).then((content) => URL.createObjectURL(content));
      url.catch(() => blobs.delete(id));
      blobs.set(id, url);
    }
    return url;
  }

  function picture(file: FileOut): HTMLElement {
    const image = el("img", { alt: file.name, "data-testid": "chat-image" });
    const link = el("a", { class: "picture", target: "_blank", rel: "noopener", title: file.name }, image);
    image.onload = options.grown;
    blob(file.id).then(
      (url) => (image.src = link.href = url),
      () => link.replaceWith(plain(file)),
    );
    return link;
  }

  function plain(file: FileOut): HTMLElement {
    const hint = { pending: texts.file_pending, unavailable: texts.file_gone, stored: size(texts, file.size, lang) };
    const button = el(
      "button",
      { type: "button", class: "file", "data-testid": "chat-file", "aria-label": `${texts.download}: ${file.name}` },
      icon("file"),
      el("span", { class: "file-name" }, file.name || "file"),
      el("span", { class: "file-size" }, hint[file.state]),
    );
    button.disabled = file.state !== "stored";
    button.onclick = async () => {
      try {
        el("a", { href: await blob(file.id), download: file.name || "file" }).click();
      } catch {
        button.lastElementChild?.replaceChildren(texts.file_gone);
      }
    };
    return button;
  }

  function state(item: Item, last: boolean): Node[] {
    if (!item.mine || item.state === "sent")
      return last ? [el("time", { datetime: item.at }, clock(item.at, lang))] : [];
    if (item.state !== "failed") return [el("span", { class: "state" }, texts[item.state])];
    const why = `${texts.failed}. ${fault(texts, item.error)}`;
    const again = el("button", { type: "button", "data-testid": "chat-retry" }, texts.retry);
    const away = el("button", { type: "button", "data-testid": "chat-discard" }, texts.discard);
    again.onclick = () => options.retry(item.key);
    away.onclick = () => options.discard(item.key);
    return [el("span", { class: "state failed", role: "alert" }, why), again, away];
  }

  function make(item: Item, first: boolean, last: boolean): HTMLElement {
    const who = item.mine ? texts.you : item.author || texts.agent;
    const body = el("div", { class: "bubble" });
    if (item.text) body.append(el("p", {}, ...linked(item.text)));
    for (const file of item.files)
      body.append(PICTURES.has(file.mime) && file.state === "stored" ? picture(file) : plain(file));
    const node = el(
      "li",
      { class: `message ${item.mine ? "mine" : "theirs"}${first ? " first" : ""}`, "data-testid": "chat-message" },
      first && !item.mine ? el("span", { class: "author" }, who) : el("span", { class: "spoken" }, `${who}: `),
      body,
      el("div", { class: "foot" }, ...state(item, last)),
    );
    node.dataset.from = item.mine ? "visitor" : "agent";
    node.dataset.state = item.state;
    return node;
  }

  return {
    of(item, first, last) {
      const files = item.files.map((file) => file.id + file.state).join();
      const mark = [item.state, item.error, item.text, item.at, item.author, files, first, last].join("\u0001");
      const known = made.get(item.key);
      if (known?.mark === mark) return known.node;
      const node = make(item, first, last);
      made.set(item.key, { mark, node });
      return node;
    },
  };
}
