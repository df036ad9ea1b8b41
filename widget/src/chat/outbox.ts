// Sending: one after the other, kept until the server has it, repeated with the same key.
import { type Api, Problem } from "./api";
import type { Draft, Memory } from "./memory";
import { delay } from "./backoff";
import type { Thread } from "./thread";

export interface Outbox {
  /** Put a message on its way. */
  post(draft: Draft): void;
  /** Try again what failed for good. */
  retry(key: string): void;
  discard(key: string): void;
  /** Try at once what waits. */
  wake(): void;
}

export function outbox(options: {
  api: Api;
  memory: Memory;
  thread: Thread;
  before: () => Promise<void>;
  changed: () => void;
}): Outbox {
  const { api, memory, thread } = options;
  const refused = new Set<string>();
  let running = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  async function deliver(draft: Draft): Promise<boolean> {
    thread.mark(draft.client_key, "sending");
    options.changed();
    try {
      await options.before();
      const { client_key, text, attachment_ids, page } = draft;
      const echo = await api.send({ client_key, text, attachment_ids, page });
      memory.drop(client_key);
      thread.merge([{ ...echo, client_key }]);
      failures = 0;
      return true;
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, "offline");
      if (problem.passing || problem.status === 401) {
        thread.mark(draft.client_key, "waiting", problem.code);
        failures += 1;
        timer = setTimeout(run, problem.wait ? problem.wait * 1000 : delay(failures));
        return false;
      }
      refused.add(draft.client_key);
      thread.mark(draft.client_key, "failed", problem.code);
      return true;
    }
  }

  async function run(): Promise<void> {
    clearTimeout(timer);
    if (running) return;
    running = true;
    try {
      for (;;) {
        const next = memory.queue().find((draft) => !refused.has(draft.client_key));
        if (!next || !(await deliver(next))) break;
        options.changed();
      }
    } finally {
      running = false;
      options.changed();
    }
  }

  for (const draft of memory.queue()) thread.add(draft, "waiting");
  return {
    post(draft) {
      memory.keep(draft);
      thread.add(draft, "sending");
      void run();
    },
    retry(key) {
      refused.delete(key);
      void run();
    },
    discard(key) {
      refused.delete(key);
      memory.drop(key);
      thread.remove(key);
      options.changed();
    },
    wake: () => void run(),
  };
}
