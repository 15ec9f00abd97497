// kinesalite's own command listens on every interface, and takes half a second for each change of a stream.
const kinesalite = require("kinesalite");

// It throws when a client hangs up in the middle of a request, which one that is killed or cancelled does.
process.on("uncaughtException", (error) => {
  if (error.code !== "ECONNRESET") throw error;
});

const server = kinesalite({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 100 });
server.listen(Number(process.argv[2]), "127.0.0.1");
