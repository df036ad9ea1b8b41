// The embed script: a button and an iframe in a shadow root. All else is the chat's own page.
import type { ToChat, ToPage } from "./messages";

const STYLE = `
:host{all:initial}
button{position:fixed;z-index:2147483000;bottom:max(20px,env(safe-area-inset-bottom));width:56px;height:56px;border:0;border-radius:50%;
padding:0;cursor:pointer;background:var(--a);color:var(--i);box-shadow:0 2px 6px #0003,0 8px 24px #0003;transition:transform .15s ease-out}
button:hover{transform:scale(1.05)}button:focus-visible{outline:3px solid var(--a);outline-offset:3px}
svg{width:26px;height:26px;display:block;margin:auto}
b{position:absolute;top:-3px;right:-3px;min-width:20px;height:20px;padding:0 5px;box-sizing:border-box;border-radius:10px;
background:#c62828;color:#fff;font:600 12px/20px system-ui,sans-serif;text-align:center}
iframe{position:fixed;z-index:2147483001;bottom:88px;width:min(384px,calc(100vw - 40px));height:min(640px,calc(100vh - 112px));border:0;
border-radius:14px;box-shadow:0 0 0 1px #0000001a,0 12px 48px #0000003d;background:transparent;color-scheme:normal}
[aria-expanded=true] .talk,button:not([aria-expanded=true]) .down{display:none}
.right{right:20px}.left{left:20px}[hidden]{display:none}
@media(max-width:480px){iframe{inset:0;width:100%;height:100%;height:100dvh;border-radius:0;box-shadow:none}}
@media(prefers-reduced-motion:reduce){button{transition:none}}
@media print{:host{display:none}}`;

/** Built node by node: a site may forbid markup from text (Trusted Types). */
function icon(): SVGElement {
  const make = (name: string, attributes: Record<string, string>): SVGElement => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key] as string);
    return node;
  };
  const look = { fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linejoin": "round" };
  const svg = make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", ...look });
  svg.append(make("path", { class: "talk", d: "M4 5h16v11H10l-5 4v-4H4z" }));
  svg.append(make("path", { class: "down", d: "M6 9l6 6 6-6", "stroke-linecap": "round" }));
  return svg;
}

function start(script: HTMLScriptElement): void {
  const channel = script.dataset.channel ?? "";
  const base = new URL(".", script.src);
  const id = `otklik-${channel}`;
  if (!channel || document.getElementById(id)) return;

  const host = document.createElement("div");
  host.id = id;
  const root = host.attachShadow({ mode: "open" });
  try {
    // Allowed under any content security policy of the site, unlike a <style> element.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.appendChild(document.createElement("style")).textContent = STYLE;
  }

  const button = document.createElement("button");
  const badge = document.createElement("b");
  const frame = document.createElement("iframe");
  button.type = "button";
  button.dataset.testid = "chat-open";
  badge.dataset.testid = "chat-badge";
  badge.setAttribute("aria-hidden", "true");
  button.append(icon(), badge);
  button.hidden = badge.hidden = frame.hidden = true;
  root.append(frame, button);

  const token = takeToken();
  const language = script.dataset.lang || document.documentElement.lang || navigator.language;
  const query = new URLSearchParams({ channel, lang: language, theme: script.dataset.theme ?? "", in: location.origin });
  frame.allow = "clipboard-write";
  frame.src = `${new URL("frame.html", base)}?${query}${token ? `#otklik=${encodeURIComponent(token)}` : ""}`;

  const tell = (message: ToChat): void => frame.contentWindow?.postMessage(message, base.origin);
  const show = (open: boolean): void => {
    if (open === !frame.hidden) return;
    frame.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) {
      tell({ otklik: channel, type: "open", page: location.href.split("#")[0] ?? "" });
      frame.focus();
    } else {
      tell({ otklik: channel, type: "closed" });
      button.focus();
    }
  };

  button.onclick = () => show(frame.hidden);
  addEventListener("message", (event: MessageEvent<ToPage>) => {
    const said = event.data;
    if (event.source !== frame.contentWindow || event.origin !== base.origin || said?.otklik !== channel) return;
    if (said.type === "ready") {
      host.style.setProperty("--a", said.accent);
      host.style.setProperty("--i", said.ink);
      button.className = frame.className = said.position;
      frame.title = said.label;
      button.setAttribute("aria-label", said.label);
      button.hidden = false;
      if (token || script.dataset.open !== undefined) show(true);
    } else if (said.type === "unread") {
      badge.textContent = said.count > 9 ? "9+" : String(said.count);
      badge.hidden = !said.count;
      button.setAttribute("aria-label", said.label);
    } else if (said.type === "close") show(false);
    else button.hidden = frame.hidden = true;
  });
  document.body.append(host);
}

/** The one-time token of a personal link, taken out of the address so that it is not passed on with it. */
function takeToken(): string {
  const found = /(?:^#|&)otklik=([^&]+)/.exec(location.hash);
  if (!found?.[1]) return "";
  const rest = location.hash.slice(1).split("&").filter((part) => !part.startsWith("otklik=")).join("&");
  history.replaceState(history.state, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  return decodeURIComponent(found[1]);
}

const script = (document.currentScript ??
  document.querySelector('script[data-channel][src*="/widget/loader.js"]')) as HTMLScriptElement | null;
if (script) {
  if (document.body) start(script);
  else addEventListener("DOMContentLoaded", () => start(script));
}
