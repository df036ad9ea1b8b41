// Calls to the server: JSON in, JSON out, failures as `Problem`.

export interface FileOut {
  id: string;
  kind: string;
  name: string;
  mime: string;
  size: number | null;
  url: string | null;
  state: "pending" | "stored" | "unavailable";
}

export interface PublicMessage {
  id: string;
  seq: number;
  from: "visitor" | "agent";
  author_name: string | null;
  text: string;
  attachments: FileOut[];
  created_at: string;
  client_key: string | null;
}

export type Ask = "no" | "optional" | "required";

export interface Look {
  greeting: string;
  accent: string;
  position: "left" | "right";
  theme: "auto" | "light" | "dark";
  ask_name: Ask;
  ask_email: Ask;
  max_file_bytes: number;
  max_files: number;
  max_text: number;
}

export interface Session {
  token: string;
  visitor_id: string;
  name: string;
  email: string;
  title: string;
  settings: Look;
  messages: PublicMessage[];
  has_more: boolean;
  cursor: number;
}

/** A call that failed. `status` 0: the server was not reached. `wait`: seconds to keep away. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly wait = 0,
  ) {
    super(`${status} ${code}`);
  }

  /** Whether the same call may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  token = "";
  /** What this page uploaded, under its id until the message is in the thread. */
  private readonly own = new Map<string, Blob>();

  constructor(private readonly channel: string) {}

  private url(path: string): string {
    return `/widget/v1/${this.channel}/${path}`;
  }

  private async call(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(this.url(path), {
        ...init,
        credentials: "omit",
        headers: { ...init.headers, ...(this.token ? { "X-Otklik-Visitor": this.token } : {}) },
      });
    } catch {
      throw new Problem(0, "offline");
    }
    if (answer.ok) return answer;
    const body = (await answer.json().catch(() => ({}))) as { code?: string };
    throw new Problem(answer.status, body.code ?? "error", Number(answer.headers.get("Retry-After")) || 0);
  }

  private async post<T>(path: string, body: unknown): Promise<T> {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    return (await (await this.call(path, init)).json()) as T;
  }

  async session(body: { locale: string; name?: string; email?: string; link_token?: string }): Promise<Session> {
    const session = await this.post<Session>("session", this.token ? { ...body, token: this.token } : body);
    this.token = session.token;
    return session;
  }

  send(body: { client_key: string; text: string; attachment_ids: string[]; page: string }): Promise<PublicMessage> {
    return this.post("messages", body);
  }

  async earlier(before: number): Promise<{ messages: PublicMessage[]; has_more: boolean }> {
    const answer = await this.call(`messages?before=${before}`, {});
    return (await answer.json()) as { messages: PublicMessage[]; has_more: boolean };
  }

  async upload(file: File): Promise<FileOut> {
    const form = new FormData();
    form.append("file", file, file.name || "file");
    const stored = (await (await this.call("files", { method: "POST", body: form })).json()) as FileOut;
    // Not with the type the file claims: it is opened in a page of ours.
    this.own.set(stored.id, new Blob([file], { type: stored.mime }));
    return stored;
  }

  async file(id: string): Promise<Blob> {
    return this.own.get(id) ?? (await this.call(`files/${id}`, {})).blob();
  }

  live(): WebSocket {
    const url = new URL(this.url("live"), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return new WebSocket(url);
  }
}
