// Starts telegram-test-api on a free port of the loopback, prints the port, ends with its owner.
const net = require("node:net");
const TelegramServer = require("telegram-test-api");

// The server takes no port 0, so a free one is looked for first.
const probe = net.createServer().listen(0, "127.0.0.1", () => {
  const { port } = probe.address();
  probe.close(async () => {
    await new TelegramServer({ port, host: "127.0.0.1", storage: "RAM", storeTimeout: 60 }).start();
    console.log(port);
  });
});

process.stdin.on("end", () => process.exit(0)).resume();
