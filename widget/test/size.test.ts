// @vitest-environment node
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const dist = `${import.meta.dirname}/../dist`;
const packed = (path: string): number => gzipSync(readFileSync(`${dist}/${path}`)).length;

test.runIf(existsSync(`${dist}/loader.js`))("what visitors download stays small", () => {
  expect(packed("loader.js")).toBeLessThan(3 * 1024);
  const assets = readdirSync(`${dist}/assets`).map((name) => packed(`assets/${name}`));
  expect(assets.reduce((sum, size) => sum + size, packed("frame.html"))).toBeLessThan(40 * 1024);
});

test.runIf(existsSync(`${dist}/loader.js`))("nothing is asked of third parties", () => {
  const files = ["loader.js", "frame.html", ...readdirSync(`${dist}/assets`).map((name) => `assets/${name}`)];
  for (const file of files) {
    const addresses = readFileSync(`${dist}/${file}`, "utf8").match(/https?:\/\/[\w.-]+\.\w+/g) ?? [];
    expect(addresses.filter((address) => !address.endsWith("www.w3.org"))).toEqual([]);
  }
});
