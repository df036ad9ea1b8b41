import { expect, test } from "vitest";
import { arrange, el, inkOn, linked } from "../src/chat/dom";

test("text stays text, addresses become links", () => {
  const box = el("p", {}, ...linked('<img src=x> https://a.test/b?c=1. (http://d.test) javascript:alert(1)'));
  expect(box.querySelector("img")).toBeNull();
  expect([...box.querySelectorAll("a")].map((a) => a.getAttribute("href"))).toEqual(["https://a.test/b?c=1", "http://d.test"]);
  expect(box.textContent).toBe("<img src=x> https://a.test/b?c=1. (http://d.test) javascript:alert(1)");
  expect(linked("")).toEqual([]);
});

test("elements keep their identity when the list changes", () => {
  const [a, b, c] = [el("li", {}, "a"), el("li", {}, "b"), el("li", {}, "c")];
  const list = el("ol", {}, a, b);
  arrange(list, [c, b, a]);
  expect([...list.children]).toEqual([c, b, a]);
  arrange(list, [b]);
  expect([...list.children]).toEqual([b]);
});

test("ink can be read on any accent", () => {
  expect(["#0b6e6e", "#000000", "#f2b705", "#ffffff"].map(inkOn)).toEqual(["#ffffff", "#ffffff", "#14181b", "#14181b"]);
});
