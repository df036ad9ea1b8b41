/** Which entities the live feed touched while a request was under way: its answer may be older. */

export class Freshness {
  private tick = 0
  private readonly touched = new Map<string, number>()

  /** Taken before a request starts. */
  mark(): number {
    return ++this.tick
  }

  touch(id: string): void {
    this.touched.set(id, ++this.tick)
  }

  /** May an answer to the request marked `since` overwrite this entity? */
  allows(id: string, since: number): boolean {
    return (this.touched.get(id) ?? 0) < since
  }
}
