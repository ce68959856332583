// A session of rate-limiter-flexible over ioredis: node rate_limiter.cjs PORT. Ends with "ok", or throws.
const assert = require("node:assert/strict");
const { Redis } = require("ioredis");
const { BurstyRateLimiter, RateLimiterRedis, RLWrapperBlackAndWhite } = require("rate-limiter-flexible");

async function main(port) {
  const storeClient = new Redis({ port, host: "127.0.0.1", retryStrategy: null });
  const limiter = new RateLimiterRedis({ storeClient, keyPrefix: "rl", points: 3, duration: 60 });

  let state = await limiter.consume("user");
  assert.deepEqual([state.consumedPoints, state.remainingPoints, state.isFirstInDuration], [1, 2, true]);
  assert.ok(state.msBeforeNext > 30000 && state.msBeforeNext <= 60000);
  state = await limiter.consume("user", 2);
  assert.deepEqual([state.consumedPoints, state.remainingPoints, state.isFirstInDuration], [3, 0, false]);
  await assert.rejects(limiter.consume("user"), (refused) => refused.consumedPoints === 4 && refused.remainingPoints === 0);
  assert.equal((await limiter.get("user")).consumedPoints, 4);
  await limiter.reward("user", 2);
  assert.equal((await limiter.get("user")).consumedPoints, 2);
  await limiter.penalty("user", 5);
  assert.equal((await limiter.get("user")).consumedPoints, 7);
  await limiter.set("other", 2, 30);
  assert.equal((await limiter.consume("other")).remainingPoints, 0);
  assert.ok(await limiter.delete("user"));
  assert.equal(await limiter.get("user"), null);
  await limiter.block("user", 20);
  await assert.rejects(limiter.consume("user"), (refused) => refused.msBeforeNext > 10000 && refused.msBeforeNext <= 20000);

  // Many at once: exactly as many pass as may.
  const crowd = new RateLimiterRedis({ storeClient, keyPrefix: "crowd", points: 10, duration: 60, blockDuration: 60 });
  const passed = await Promise.allSettled(Array.from({ length: 50 }, () => crowd.consume("all")));
  assert.equal(passed.filter(({ status }) => status === "fulfilled").length, 10);

  // In memory of what is refused anyway, bursts, and those who always pass.
  const blocking = new RateLimiterRedis({ storeClient, keyPrefix: "mem", points: 1, duration: 60, inMemoryBlockOnConsumed: 1 });
  await blocking.consume("k");
  await assert.rejects(blocking.consume("k"));
  const bursty = new BurstyRateLimiter(
    new RateLimiterRedis({ storeClient, keyPrefix: "slow", points: 1, duration: 60 }),
    new RateLimiterRedis({ storeClient, keyPrefix: "burst", points: 2, duration: 60 }),
  );
  for (let n = 0; n < 3; n++) await bursty.consume("k");
  await assert.rejects(bursty.consume("k"));
  const listed = new RLWrapperBlackAndWhite({ limiter, whiteList: ["boss"], blackList: ["foe"] });
  await listed.consume("boss", 100);
  await assert.rejects(listed.consume("foe"));

  // The first that comes is told so whatever the insert-once script finds.
  const once = new RateLimiterRedis({ storeClient, keyPrefix: "once", points: 5, duration: 0 });
  assert.equal((await once.consume("k")).msBeforeNext, -1);
  assert.equal(await storeClient.ttl("once:k"), -1);
  await storeClient.quit();
}

main(Number(process.argv[2])).then(
  () => console.log("ok"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
