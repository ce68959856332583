// A session of ioredis: node ioredis.cjs PORT. Ends with "ok", or throws.
const assert = require("node:assert/strict");
const { Redis } = require("ioredis");

async function main(port) {
  const redis = new Redis({ port, host: "127.0.0.1", retryStrategy: null });
  assert.match(await redis.info("server"), /redis_version:8\./);
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await redis.set("name", "value"), "OK");
  assert.equal(await redis.get("name"), "value");
  assert.equal(await redis.get("missing"), null);
  assert.equal(await redis.set("name", "other", "NX"), null);
  assert.equal(await redis.set("short", "lived", "PX", 60000), "OK");
  assert.ok((await redis.pttl("short")) > 0);
  assert.deepEqual(await redis.getBuffer("name"), Buffer.from("value"));
  assert.equal(await redis.incrby("counter", 41), 41);
  assert.equal(await redis.incr("counter"), 42);
  assert.equal(await redis.incrbyfloat("float", 0.1), "0.1");
  assert.equal(await redis.mset({ one: "1", two: "2" }), "OK");
  assert.deepEqual(await redis.mget("one", "two", "missing"), ["1", "2", null]);
  assert.equal(await redis.append("one", "23"), 3);
  await assert.rejects(redis.incr("name"), /ERR value is not an integer or out of range/);

  const replies = await redis.pipeline().set("a", 1).incr("a").get("a").exec();
  assert.deepEqual(replies, [[null, "OK"], [null, 2], [null, "2"]]);

  const many = redis.pipeline();
  for (let i = 0; i < 1000; i++) many.set(`scan:${i}`, i);
  await many.exec();
  const seen = new Set();
  for await (const keys of redis.scanStream({ match: "scan:*", count: 100 })) keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 1000);
  assert.equal(await redis.del("a", "one", "two"), 3);

  assert.deepEqual(await redis.multi().set("in", 1).incr("in").get("in").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
  await redis.watch("in");
  const other = redis.duplicate();
  await other.set("in", 5);
  await other.quit();
  assert.equal(await redis.multi().get("in").exec(), null);
  const failing = await redis.multi().set("in", "x").incr("in").exec();
  assert.match(failing[1][0].message, /not an integer/);

  const listener = redis.duplicate();
  const heard = [];
  const all = new Promise((resolve) => {
    const note = (...words) => heard.push(words) === 3 && resolve();
    listener.on("message", note);
    listener.on("pmessage", note);
    listener.on("smessage", note);
  });
  assert.equal(await listener.subscribe("news", "other"), 2);
  assert.equal(await listener.psubscribe("n?ws"), 3);
  assert.equal(await listener.ssubscribe("shard"), 1);
  assert.equal(await redis.publish("news", "hello"), 2);
  assert.equal(await redis.spublish("shard", "there"), 1);
  await all;
  assert.deepEqual(heard, [["news", "hello"], ["n?ws", "news", "hello"], ["shard", "there"]]);
  assert.equal(await listener.unsubscribe("other"), 2);
  await listener.quit();

  const big = "x".repeat(5_000_000);
  await redis.set("big", big);
  assert.equal(await redis.get("big"), big);
  await redis.quit();
}

main(Number(process.argv[2])).then(() => console.log("ok"));
