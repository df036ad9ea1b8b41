import { expect, test } from "vitest";
import { clock, day, language, size, words } from "../src/chat/words";

test("Russian for those who read it, English for others", () => {
  expect(["ru", "ru-RU", "be", "kk-KZ", "RU"].map(language)).toEqual(["ru", "ru", "ru", "ru", "ru"]);
  expect(["en", "de-DE", "", "rue"].map(language)).toEqual(["en", "en", "en", "en"]);
});

test("both languages say everything", () => {
  const keys = (value: object): string[] => Object.keys(value).sort();
  expect(keys(words("en"))).toEqual(keys(words("ru")));
  expect(keys(words("en").errors)).toEqual(keys(words("ru").errors));
});

test("sizes are short", () => {
  expect(size(words("en"), 900, "en")).toBe("900 B");
  expect(size(words("ru"), 48_000, "ru")).toBe("47 КБ");
  expect(size(words("ru"), 1_600_000, "ru")).toBe("1,5 МБ");
  expect(size(words("en"), null, "en")).toBe("");
});

test("days are named as people do", () => {
  const now = new Date(2026, 10, 21, 0, 30);
  expect(day(new Date(2026, 10, 21, 0, 5).toISOString(), "ru", now)).toBe("Сегодня");
  expect(day(new Date(2026, 10, 20, 23, 55).toISOString(), "en", now)).toBe("Yesterday");
  expect(day(new Date(2026, 10, 3).toISOString(), "ru", now)).toBe("3 ноября");
  expect(day(new Date(2025, 10, 3).toISOString(), "en", now)).toContain("2025");
  expect(clock(new Date(2026, 10, 3, 14, 5).toISOString(), "ru")).toBe("14:05");
});
