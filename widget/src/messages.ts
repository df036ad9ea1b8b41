// What the embed script and the chat in its iframe say to each other.

/** From the chat to the page. */
export type ToPage = { otklik: string } & (
  | { type: "ready"; accent: string; ink: string; position: "left" | "right"; label: string }
  | { type: "unread"; count: number; label: string }
  | { type: "off" }
  | { type: "close" }
);

/** From the page to the chat. */
export type ToChat = { otklik: string } & ({ type: "open"; page: string } | { type: "closed" });
