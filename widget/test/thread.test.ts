import { beforeEach, expect, test, vi } from "vitest";
import { type Api, Problem, type PublicMessage } from "../src/chat/api";
import { delay } from "../src/chat/backoff";
import { type Draft, Memory } from "../src/chat/memory";
import { outbox } from "../src/chat/outbox";
import { Thread } from "../src/chat/thread";

beforeEach(() => localStorage.clear());

function message(seq: number, more: Partial<PublicMessage> = {}): PublicMessage {
  const fixed = { author_name: null, attachments: [], created_at: "2026-11-21T10:00:00Z", client_key: null };
  return { id: `id${seq}`, seq, from: "agent", text: `text ${seq}`, ...fixed, ...more };
}

function draft(key: string, at = "2026-11-21T10:00:00Z"): Draft {
  return { client_key: key, text: key, attachment_ids: [], files: [], at, page: "" };
}

test("messages are ordered by the server, whatever order they come in", () => {
  const thread = new Thread();
  thread.merge([message(3), message(1)]);
  expect(thread.merge([message(2), message(3)]).map((item) => item.seq)).toEqual([2]);
  expect(thread.list().map((item) => item.seq)).toEqual([1, 2, 3]);
  expect([thread.first, thread.newest, thread.last, thread.unread(1)]).toEqual([1, 3, 3, 2]);
});

test("our own message is one, from draft over echo to thread", () => {
  const thread = new Thread();
  thread.add(draft("k"), "sending");
  thread.merge([message(0, { id: "k", from: "visitor", client_key: "k", text: "k" })]);
  expect(thread.list().map((item) => [item.seq, item.state])).toEqual([[0, "sent"]]);
  thread.merge([message(7, { from: "visitor", client_key: "k", text: "k" })]);
  thread.merge([message(0, { id: "k", from: "visitor", client_key: "k", text: "k" })]);
  expect(thread.list().map((item) => item.seq)).toEqual([7]);
  thread.mark("k", "failed");
  expect(thread.list()[0]?.state).toBe("sent");
});

test("what is not numbered yet comes last", () => {
  const thread = new Thread();
  thread.add(draft("b", "2026-11-21T10:00:02Z"), "waiting");
  thread.add(draft("a", "2026-11-21T10:00:01Z"), "waiting");
  thread.merge([message(5)]);
  expect(thread.list().map((item) => item.key)).toEqual(["id5", "a", "b"]);
});

test("the queue survives broken entries and a browser without storage", () => {
  const memory = new Memory("c");
  memory.keep(draft("b", "2026-11-21T10:00:02Z"));
  memory.keep(draft("a", "2026-11-21T10:00:01Z"));
  localStorage.setItem("otklik:c:q:x", "{");
  localStorage.setItem("otklik:other:q:y", JSON.stringify(draft("y")));
  expect(memory.queue().map((one) => one.client_key)).toEqual(["a", "b"]);
  const denied = vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new Error("denied");
  });
  expect(() => memory.set("token", "t")).not.toThrow();
  denied.mockRestore();
});

test("messages leave in order, wait for the network, and keep their key", async () => {
  vi.useFakeTimers();
  const sent: string[] = [];
  let online = false;
  const api = {
    send: (body: { client_key: string }) => {
      if (!online) return Promise.reject(new Problem(0, "offline"));
      sent.push(body.client_key);
      return Promise.resolve(message(0, { from: "visitor", client_key: body.client_key }));
    },
  } as unknown as Api;
  const [memory, thread] = [new Memory("c"), new Thread()];
  const mail = outbox({ api, memory, thread, before: async () => {}, changed: () => {} });
  mail.post(draft("a", "1"));
  mail.post(draft("b", "2"));
  await vi.advanceTimersByTimeAsync(100);
  expect(thread.list().map((item) => item.state)).toEqual(["waiting", "sending"]);
  online = true;
  await vi.advanceTimersByTimeAsync(2000);
  expect(sent).toEqual(["a", "b"]);
  expect(memory.queue()).toEqual([]);
  expect(thread.list().map((item) => item.state)).toEqual(["sent", "sent"]);
  vi.useRealTimers();
});

test("what is refused for good stands aside and can be tried again or deleted", async () => {
  vi.useFakeTimers();
  const refuse = new Set(["a", "b"]);
  const api = {
    send: (body: { client_key: string }) =>
      refuse.has(body.client_key)
        ? Promise.reject(new Problem(400, "invalid"))
        : Promise.resolve(message(0, { from: "visitor", client_key: body.client_key })),
  } as unknown as Api;
  const [memory, thread] = [new Memory("c"), new Thread()];
  const mail = outbox({ api, memory, thread, before: async () => {}, changed: () => {} });
  for (const key of ["a", "b", "c"]) mail.post(draft(key, key));
  await vi.advanceTimersByTimeAsync(10);
  expect(thread.list().map((item) => item.state)).toEqual(["failed", "failed", "sent"]);
  refuse.delete("a");
  mail.retry("a");
  mail.discard("b");
  await vi.advanceTimersByTimeAsync(10);
  expect(thread.list().map((item) => [item.key, item.state])).toEqual([["a", "sent"], ["c", "sent"]]);
  expect(memory.queue()).toEqual([]);
  vi.useRealTimers();
});

test("pauses double to half a minute and are spread", () => {
  expect([1, 2, 3, 10].map((n) => delay(n, () => 1))).toEqual([1000, 2000, 4000, 30_000]);
  expect(delay(3, () => 0)).toBe(2000);
});
