// A session of redlock over ioredis: node redlock.cjs PORT. Ends with "ok", or throws.
const assert = require("node:assert/strict");
const { Redis } = require("ioredis");
const Redlock = require("redlock");

async function main(port) {
  const client = new Redis({ port, host: "127.0.0.1", retryStrategy: null });
  const patient = new Redlock([client], { retryCount: 4000, retryDelay: 5, retryJitter: 5 });
  const hasty = new Redlock([client], { retryCount: 0 });

  const lock = await hasty.lock("locks:a", 60000);
  assert.equal(await client.get("locks:a"), lock.value);
  assert.ok((await client.pttl("locks:a")) > 50000);
  await assert.rejects(hasty.lock("locks:a", 1000), { name: "LockError" });
  const extended = await lock.extend(120000);
  assert.ok((await client.pttl("locks:a")) > 100000);
  await extended.unlock();
  assert.equal(await client.exists("locks:a"), 0);
  await assert.rejects(extended.unlock(), { name: "LockError" });

  // Several resources at once, or none of them.
  const both = await hasty.lock(["locks:b", "locks:c"], 60000);
  await assert.rejects(hasty.lock(["locks:c", "locks:d"], 1000), { name: "LockError" });
  assert.equal(await client.exists("locks:d"), 0);
  await both.unlock();

  // What it protects is never entered twice at a time.
  let inside = 0;
  let counter = 0;
  const enter = async () => {
    const held = await patient.lock("locks:counter", 60000);
    inside += 1;
    assert.equal(inside, 1);
    const read = counter;
    await client.ping();
    counter = read + 1;
    inside -= 1;
    await held.unlock();
  };
  await Promise.all(Array.from({ length: 20 }, enter));
  assert.equal(counter, 20);

  // A lock that ran out is free.
  await patient.lock("locks:short", 20); // taken again where 20 ms went by before it was told so
  await (await patient.lock("locks:short", 60000)).unlock();
  await client.quit();
}

main(Number(process.argv[2])).then(
  () => console.log("ok"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
