// A session of node-redis: node node_redis.cjs PORT PROTOCOL. Ends with "ok", or throws.
const assert = require("node:assert/strict");
const { createClient } = require("redis");

async function main(port, RESP) {
  const client = createClient({ RESP, socket: { port, host: "127.0.0.1", reconnectStrategy: false } });
  client.on("error", (error) => { throw error; });
  await client.connect();

  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.set("name", "value"), "OK");
  assert.equal(await client.get("name"), "value");
  assert.equal(await client.get("missing"), null);
  assert.equal(await client.set("name", "other", { condition: "NX" }), null);
  assert.equal(await client.set("short", "lived", { expiration: { type: "PX", value: 60000 } }), "OK");
  assert.ok((await client.pTTL("short")) > 0);
  assert.equal(await client.incrBy("counter", 41), 41);
  assert.equal(await client.incr("counter"), 42);
  assert.equal(await client.incrByFloat("float", 0.1), "0.1");
  assert.equal(await client.mSet({ one: "1", two: "2" }), "OK");
  assert.deepEqual(await client.mGet(["one", "two", "missing"]), ["1", "2", null]);
  await assert.rejects(client.incr("name"), /ERR value is not an integer or out of range/);

  // Sent in one go, answered in order.
  const many = await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`scan:${i}`, String(i))));
  assert.ok(many.every((reply) => reply === "OK"));
  const seen = new Set();
  for await (const keys of client.scanIterator({ MATCH: "scan:*", COUNT: 100 })) keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 1000);
  assert.equal(await client.del(["one", "two", "missing"]), 2);

  assert.deepEqual(await client.multi().set("in", "1").incr("in").get("in").exec(), ["OK", 2, "2"]);
  await client.watch("in");
  await client.set("in", "5");
  await assert.rejects(client.multi().get("in").exec(), /watched keys has been changed/);

  const listener = client.duplicate();
  await listener.connect();
  const heard = [];
  await new Promise((resolve, reject) => {
    const note = (message, channel) => heard.push([channel, message]) === 3 && resolve();
    const listening = [listener.subscribe(["news", "other"], note), listener.pSubscribe("n?ws", note), listener.sSubscribe("shard", note)];
    const speak = async () => {
      await Promise.all(listening);
      assert.equal(await client.publish("news", "hello"), 2);
      assert.equal(await client.sPublish("shard", "there"), 1);
    };
    speak().catch(reject);
  });
  assert.deepEqual(heard, [["news", "hello"], ["news", "hello"], ["shard", "there"]]);
  await listener.unsubscribe();
  await listener.close();

  const big = "x".repeat(5_000_000);
  await client.set("big", big);
  assert.equal(await client.get("big"), big);
  await client.close();
}

main(Number(process.argv[2]), Number(process.argv[3])).then(() => console.log("ok"));
