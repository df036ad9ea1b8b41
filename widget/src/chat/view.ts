// The chat window: heading, messages with day marks, typing dots. Knows no server.
import { arrange, el, icon } from "./dom";
import type { Bubbles } from "./bubbles";
import type { Item } from "./thread";
import { day, type Language, words } from "./words";

export interface View {
  /** Where the composer and dropped files belong. */
  window: HTMLElement;
  show(items: Item[], more: boolean): void;
  online(now: boolean): void;
  typing(now: boolean): void;
  /** Keep the newest message in sight, if it was. */
  follow(): void;
}

/** Whether two messages read as one turn: same speaker, at most five minutes apart, same day. */
function joins(one: Item | undefined, two: Item | undefined): boolean {
  if (!one || !two || one.mine !== two.mine || one.author !== two.author) return false;
  const [from, to] = [new Date(one.at), new Date(two.at)];
  return to.getTime() - from.getTime() < 300_000 && from.getDate() === to.getDate();
}

export function view(options: {
  root: HTMLElement;
  lang: Language;
  title: string;
  greeting: string;
  bubbles: Bubbles;
  close: (() => void) | null;
  earlier: () => void;
}): View {
  const texts = words(options.lang);
  const days = new Map<string, HTMLElement>();
  const rows = el("ol", { class: "rows" });
  const log = { role: "log", "aria-live": "polite", "aria-label": texts.messages, tabindex: "0" };
  const list = el("div", { class: "list", ...log }, rows);
  const hello = el("li", { class: "message theirs first hello" }, el("div", { class: "bubble" }, el("p", {}, options.greeting)));
  const older = el("li", { class: "older" }, el("button", { type: "button", click: options.earlier }, texts.earlier));
  const dots = el("li", { class: "dots", "data-testid": "chat-typing" }, el("i"), el("i"), el("i"), el("span", { class: "spoken" }, texts.typing));
  const line = el("p", { class: "line-state", role: "status" });
  const who = el("p", { class: "who" });
  const shut = el("button", { type: "button", class: "tool", "aria-label": texts.close, title: `${texts.close} (Esc)`, "data-testid": "chat-close" }, icon("close"));
  const heading = el("header", {}, el("div", {}, el("h1", {}, options.title), who), shut);
  const window_ = el("main", { class: "window" }, heading, line, list);
  let shown: Item[] = [];
  let more = false;
  let dotted = false;
  let bottom = true;

  shut.hidden = !options.close;
  shut.onclick = () => options.close?.();
  list.onscroll = () => (bottom = list.scrollHeight - list.scrollTop - list.clientHeight < 60);
  const resized = new ResizeObserver(() => follow());
  resized.observe(list);
  resized.observe(rows);
  options.root.replaceChildren(window_);

  function follow(): void {
    if (bottom) list.scrollTop = list.scrollHeight;
  }

  function mark(item: Item): HTMLElement {
    const words = day(item.at, options.lang);
    let node = days.get(words);
    if (!node) days.set(words, (node = el("li", { class: "day" }, words)));
    return node;
  }

  function draw(): void {
    const nodes: HTMLElement[] = more ? [older] : [hello];
    shown.forEach((item, place) => {
      const date = mark(item);
      if (!nodes.includes(date)) nodes.push(date);
      nodes.push(options.bubbles.of(item, !joins(shown[place - 1], item), !joins(item, shown[place + 1])));
    });
    if (dotted) nodes.push(dots);
    const height = list.scrollHeight;
    arrange(rows, nodes);
    // Reading earlier messages: what is above grew, what is read stays in place.
    if (!bottom && list.scrollTop < 40) list.scrollTop += list.scrollHeight - height;
    const agent = shown.filter((item) => !item.mine && item.author).at(-1);
    who.textContent = agent ? texts.answers(agent.author) : "";
    follow();
  }

  return {
    window: window_,
    show(items, hasMore) {
      const own = items.at(-1);
      if (own?.mine && own.key !== shown.at(-1)?.key) bottom = true;
      [shown, more] = [items, hasMore];
      draw();
    },
    online(now) {
      line.textContent = now ? "" : texts.offline;
    },
    typing(now) {
      if (now === dotted) return;
      dotted = now;
      draw();
    },
    follow,
  };
}
