// What the browser keeps: the visitor's token, how far he read, messages that could not leave yet.
// Works without localStorage too (blocked by the browser): then it lasts as long as the page.

export interface Draft {
  client_key: string;
  text: string;
  attachment_ids: string[];
  files: { id: string; kind: string; name: string; mime: string; size: number | null }[];
  at: string;
  page: string;
}

const spare = new Map<string, string>();

export class Memory {
  private readonly prefix: string;

  constructor(channel: string) {
    this.prefix = `otklik:${channel}:`;
  }

  get(name: string): string {
    try {
      return localStorage.getItem(this.prefix + name) ?? "";
    } catch {
      return spare.get(this.prefix + name) ?? "";
    }
  }

  set(name: string, value: string): void {
    try {
      if (value) localStorage.setItem(this.prefix + name, value);
      else localStorage.removeItem(this.prefix + name);
    } catch {
      spare.set(this.prefix + name, value);
    }
  }

  /** Unsent messages, oldest first. One entry each, so that two tabs do not overwrite each other's. */
  queue(): Draft[] {
    const keys = this.keys(`${this.prefix}q:`);
    const drafts = keys.map((key) => parse(this.get(key.slice(this.prefix.length)))).filter((draft) => draft !== null);
    return drafts.sort((a, b) => a.at.localeCompare(b.at));
  }

  keep(draft: Draft): void {
    this.set(`q:${draft.client_key}`, JSON.stringify(draft));
  }

  drop(client_key: string): void {
    this.set(`q:${client_key}`, "");
  }

  private keys(start: string): string[] {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(start));
    } catch {
      return [...spare.keys()].filter((key) => key.startsWith(start) && spare.get(key));
    }
  }
}

function parse(text: string): Draft | null {
  try {
    const draft = JSON.parse(text) as Draft;
    return typeof draft.client_key === "string" && typeof draft.text === "string" ? draft : null;
  } catch {
    return null;
  }
}
