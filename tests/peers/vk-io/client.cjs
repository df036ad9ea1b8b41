// vk-io as a second opinion on our fake VK: one JSON command a line in, one JSON answer a line out.
const http = require("node:http");
const readline = require("node:readline");
const { VK, Keyboard } = require("vk-io");

const [, , base, token, group] = process.argv;
const vk = new VK({
  token, pollingGroupId: Number(group), apiBaseUrl: `${base}/method`, apiVersion: "5.199",
  agent: new http.Agent(), apiRetryLimit: 0, pollingWait: 1,
});
const say = (what) => console.log(JSON.stringify(what));

vk.updates.on("message_new", (context) => say({
  heard: context.text, peer: context.peerId, from: context.senderId, out: context.isOutbox,
  kinds: context.attachments.map((one) => one.type), forwards: context.forwards.length,
}));
vk.updates.on("message_event", (context) => say({ pressed: context.eventPayload, event: context.eventId }));
vk.updates.on("message_edit", (context) => say({ edited: context.text, out: context.isOutbox }));

const commands = {
  start: async () => { await vk.updates.startPolling(); return true; },
  call: ({ method, params }) => vk.api.call(method, params),
  photo: async ({ peer }) => {
    const value = Buffer.from("a picture");
    const photo = await vk.upload.messagePhoto({ peer_id: peer, source: { value, contentType: "image/png", filename: "a.png" } });
    return String(photo);
  },
  keyboard: () => JSON.parse(Keyboard.builder().callbackButton({ label: "Yes", payload: { data: "y" } }).urlButton({ label: "Site", url: "https://example.org" }).inline().toString()),
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  try {
    say({ answer: await commands[command.do](command) });
  } catch (error) {
    say({ refused: error.code ?? error.name, why: String(error.message).slice(0, 200) });
  }
}).on("close", () => process.exit(0));
say({ ready: true });
