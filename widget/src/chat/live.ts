// The websocket: opens, signs in with its first message, comes back after faults.
import type { Api, PublicMessage } from "./api";
import { delay } from "./backoff";

interface FromServer {
  messages?: PublicMessage[];
  typing?: boolean;
  read_up_to?: number;
}

export interface Live {
  start(): void;
  /** Come back at once: the network is there again. */
  wake(): void;
  say(message: { typing: true } | { read_up_to: number } | { delivered_up_to: number }): void;
  readonly online: boolean;
}

const SILENCE = 50_000;

export function live(options: {
  api: Api;
  after: () => number;
  heard: (message: FromServer) => void;
  state: (online: boolean) => void;
  /** The server does not know the token (4401) or the channel rests (4403). */
  refused: (code: number) => void;
}): Live {
  let socket: WebSocket | null = null;
  let online = false;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setTimeout> | undefined;

  function turn(now: boolean): void {
    if (now !== online) options.state((online = now));
  }

  function alive(ws: WebSocket): void {
    clearTimeout(watch);
    watch = setTimeout(() => lost(ws, 0), SILENCE);
  }

  function lost(ws: WebSocket, code: number): void {
    if (ws !== socket) return;
    socket = null;
    ws.close();
    clearTimeout(watch);
    turn(false);
    failures += 1;
    if (code === 4401 || code === 4403) options.refused(code);
    else timer = setTimeout(connect, delay(failures));
  }

  function connect(): void {
    clearTimeout(timer);
    if (socket) return;
    const ws = (socket = options.api.live());
    alive(ws);
    ws.onopen = () => ws.send(JSON.stringify({ token: options.api.token, after: options.after() }));
    ws.onclose = (event) => lost(ws, event.code);
    ws.onmessage = (event: MessageEvent<string>) => {
      if (ws !== socket) return;
      alive(ws);
      failures = 0;
      turn(true);
      options.heard(JSON.parse(event.data) as FromServer);
    };
  }

  return {
    start: connect,
    wake() {
      if (!socket) connect();
    },
    say(message) {
      if (online && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    get online() {
      return online;
    },
  };
}
