// The talk as the visitor sees it: what the server confirmed, then what is still on its way.
import type { PublicMessage } from "./api";
import type { Draft } from "./memory";

export type State = "sending" | "sent" | "failed" | "waiting";

export interface Item {
  /** Stable over the life of a message: our own key, else the server's id. */
  key: string;
  seq: number;
  mine: boolean;
  author: string;
  text: string;
  files: PublicMessage["attachments"];
  at: string;
  state: State;
  /** Code of the failure. */
  error: string;
}

export class Thread {
  private readonly items = new Map<string, Item>();

  /** Take messages from the server; returns those that are new and not ours. */
  merge(messages: PublicMessage[]): Item[] {
    const fresh: Item[] = [];
    for (const message of messages) {
      const key = message.client_key ?? message.id;
      const known = this.items.get(key);
      // The echo of a message that is not in the thread yet has no number.
      const seq = message.seq || known?.seq || 0;
      const item = fromServer(message, key, seq);
      // The browser's clock orders what the server has not numbered.
      if (!seq && known) item.at = known.at;
      this.items.set(key, item);
      if (!known && !item.mine) fresh.push(item);
    }
    return fresh;
  }

  add(draft: Draft, state: State): Item {
    const known = this.items.get(draft.client_key);
    if (known) return known;
    const item: Item = {
      key: draft.client_key,
      seq: 0,
      mine: true,
      author: "",
      text: draft.text,
      files: draft.files.map((file) => ({ ...file, url: null, state: "stored" })),
      at: draft.at,
      state,
      error: "",
    };
    this.items.set(item.key, item);
    return item;
  }

  mark(key: string, state: State, error = ""): void {
    const item = this.items.get(key);
    if (item && !item.seq) this.items.set(key, { ...item, state, error });
  }

  remove(key: string): void {
    this.items.delete(key);
  }

  /** In the order of the server; what it has not numbered yet comes last, in our order. */
  list(): Item[] {
    return [...this.items.values()].sort((a, b) =>
      a.seq && b.seq ? a.seq - b.seq : a.seq ? -1 : b.seq ? 1 : a.at.localeCompare(b.at),
    );
  }

  /** Number of the last message of an agent. */
  get newest(): number {
    return Math.max(0, ...[...this.items.values()].filter((item) => !item.mine).map((item) => item.seq));
  }

  get last(): number {
    return Math.max(0, ...[...this.items.values()].map((item) => item.seq));
  }

  get first(): number {
    return Math.min(...[...this.items.values()].map((item) => item.seq || Infinity));
  }

  unread(upTo: number): number {
    return [...this.items.values()].filter((item) => !item.mine && item.seq > upTo).length;
  }
}

function fromServer(message: PublicMessage, key: string, seq: number): Item {
  return {
    key,
    seq,
    mine: message.from === "visitor",
    author: message.author_name ?? "",
    text: message.text,
    files: message.attachments,
    at: message.created_at,
    state: "sent",
    error: "",
  };
}
