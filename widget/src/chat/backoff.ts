// How long to wait after the n-th failure in a row.

/** Milliseconds: doubling from one second to thirty, with jitter so that visitors do not return in step. */
export function delay(failures: number, random: () => number = Math.random): number {
  const most = Math.min(30_000, 1000 * 2 ** Math.max(0, failures - 1));
  return most / 2 + (random() * most) / 2;
}
