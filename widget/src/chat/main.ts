// The chat in its iframe (or alone in a window): ties session, thread, outbox, live line and view together.
import "./style.css";
import type { ToChat, ToPage } from "../messages";
import { Api, type FileOut, Problem, type Session } from "./api";
import { delay } from "./backoff";
import { bubbles } from "./bubbles";
import { composer, type Composer } from "./composer";
import { el, inkOn } from "./dom";
import { live, type Live } from "./live";
import { Memory } from "./memory";
import { type Outbox, outbox } from "./outbox";
import { Thread } from "./thread";
import { view, type View } from "./view";
import { language, words } from "./words";

const query = new URLSearchParams(location.search);
const channel = query.get("channel") ?? "";
const embedded = window.parent !== window;
const lang = language(query.get("lang") || navigator.language);
const texts = words(lang);
const api = new Api(channel);
const memory = new Memory(channel);
const thread = new Thread();
const root = document.getElementById("chat") as HTMLElement;

let open = !embedded;
let page = "";
let more = false;
let profile: { name?: string; email?: string } = {};
let screen: View;
let sheet: Composer;
let line: Live;
let mail: Outbox;
let typingEnds: ReturnType<typeof setTimeout> | undefined;
let typedAt = 0;
let reported = { read: 0, delivered: 0 };

function tell(message: ToPage): void {
  const site = query.get("in") ?? "";
  if (embedded) window.parent.postMessage(message, site.startsWith("http") ? site : "*");
}

function linkToken(): string {
  const found = /otklik=([^&]+)/.exec(location.hash)?.[1] ?? "";
  if (found) history.replaceState(null, "", location.pathname + location.search);
  return decodeURIComponent(found);
}

/** A session of the known visitor, or of a new one when the server does not know his token. */
async function enter(link: string): Promise<Session> {
  api.token = memory.get("token");
  const body = { locale: lang, ...profile, ...(link ? { link_token: link } : {}) };
  try {
    return await api.session(body);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401 || !api.token) throw error;
    api.token = "";
    memory.set("read", "");
    return api.session(body);
  }
}

async function persist(link: string): Promise<Session | null> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await enter(link);
    } catch (error) {
      if (error instanceof Problem && !error.passing) return null;
      await new Promise((wake) => setTimeout(wake, delay(failures)));
    }
  }
}

/** Nothing is kept in the browser of somebody who never opened the chat. */
function remember(): void {
  memory.set("token", api.token);
  line.start();
}

function refresh(): void {
  screen.show(thread.list(), more);
  const read = Number(memory.get("read")) || 0;
  const visible = open && document.visibilityState === "visible";
  const newest = thread.newest;
  if (visible && newest > read) memory.set("read", String(newest));
  report(visible, newest);
  const count = visible ? 0 : thread.unread(read);
  tell({ otklik: channel, type: "unread", count, label: count ? texts.unread(count) : texts.open });
}

/** Tell the server what reached this page and what was on the screen. */
function report(visible: boolean, newest: number): void {
  if (!line.online || !newest) return;
  if (visible && newest > reported.read) {
    reported = { read: newest, delivered: newest };
    line.say({ read_up_to: newest });
  } else if (newest > reported.delivered) {
    reported.delivered = newest;
    line.say({ delivered_up_to: newest });
  }
}

function typingFromAgent(): void {
  clearTimeout(typingEnds);
  screen.typing(true);
  typingEnds = setTimeout(() => screen.typing(false), 6000);
}

function typing(): void {
  if (Date.now() - typedAt < 3000) return;
  typedAt = Date.now();
  line.say({ typing: true });
}

function send(text: string, files: FileOut[], said: { name?: string; email?: string }): void {
  if (said.name || said.email) profile = said;
  remember();
  typedAt = 0;
  mail.post({
    client_key: crypto.randomUUID?.() ?? uuid(),
    text,
    attachment_ids: files.map((file) => file.id),
    files,
    at: new Date().toISOString(),
    page: page || (embedded ? "" : location.href),
  });
  refresh();
}

/** Pages without TLS have no randomUUID. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What the visitor said about himself goes into his token before his first message. */
async function introduce(): Promise<void> {
  if (!profile.name && !profile.email) return;
  await api.session({ locale: lang, ...profile });
  memory.set("token", api.token);
  profile = {};
}

async function earlier(): Promise<void> {
  try {
    const answer = await api.earlier(thread.first);
    thread.merge(answer.messages);
    more = answer.has_more;
    refresh();
  } catch {
    sheet.complain(texts.errors.error ?? "");
  }
}

/** The server forgot us or the channel rests: sign in anew, slowly. */
async function again(): Promise<void> {
  const session = await persist("");
  if (!session) return closed();
  take(session);
  line.start();
}

function take(session: Session): void {
  more = session.has_more;
  thread.merge(session.messages);
  refresh();
}

function closed(): void {
  tell({ otklik: channel, type: "off" });
  root.replaceChildren(el("p", { class: "off" }, texts.off));
}

function build(session: Session): void {
  const look = session.settings;
  paint(look.accent, look.theme);
  line = live({
    api,
    after: () => thread.last,
    heard(message) {
      if (message.messages && thread.merge(message.messages).length) screen.typing(false);
      if (message.typing) typingFromAgent();
      refresh();
    },
    state(online) {
      screen.online(online);
      if (online) mail.wake();
      reported = { read: 0, delivered: 0 };
      refresh();
    },
    refused: () => void again(),
  });
  mail = outbox({ api, memory, thread, before: introduce, changed: refresh });
  const kit = { api, lang, retry: mail.retry, discard: mail.discard, grown: () => screen.follow() };
  const title = session.title || texts.title;
  document.title = title;
  screen = view({
    root,
    lang,
    title,
    greeting: look.greeting || texts.greeting,
    bubbles: bubbles(kit),
    close: embedded ? () => tell({ otklik: channel, type: "close" }) : null,
    earlier: () => void earlier(),
  });
  sheet = composer({
    api,
    look,
    lang,
    drop: screen.window,
    draft: { get: () => memory.get("draft"), set: (text) => memory.set("draft", text) },
    profile: { name: session.name, email: session.email },
    typing,
    begin: remember,
    send,
  });
  screen.window.append(sheet.node);
  if (session.messages.length) sheet.known();
}

function paint(accent: string, theme: string): void {
  const style = document.documentElement.style;
  style.setProperty("--accent", accent);
  style.setProperty("--on-accent", inkOn(accent));
  const wanted = query.get("theme") || theme;
  if (wanted === "light" || wanted === "dark") document.documentElement.dataset.theme = wanted;
}

function listen(): void {
  addEventListener("message", (event: MessageEvent<ToChat>) => {
    if (event.source !== window.parent || event.data?.otklik !== channel) return;
    open = event.data.type === "open";
    if (event.data.type === "open") {
      page = event.data.page;
      remember();
      sheet.focus();
    }
    refresh();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && embedded) tell({ otklik: channel, type: "close" });
  });
  addEventListener("online", () => {
    line.wake();
    mail.wake();
  });
  addEventListener("offline", () => screen.online(false));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && memory.get("token")) line.wake();
    refresh();
  });
}

async function main(): Promise<void> {
  document.documentElement.lang = lang;
  const link = linkToken();
  const known = memory.get("token") !== "" || link !== "";
  const session = await persist(link);
  if (!session) return closed();
  build(session);
  take(session);
  listen();
  if (known || open) remember();
  mail.wake();
  const { accent, position } = session.settings;
  tell({ otklik: channel, type: "ready", accent, ink: inkOn(accent), position, label: texts.open });
}

void main();
