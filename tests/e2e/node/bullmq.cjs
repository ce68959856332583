// A session of BullMQ: node bullmq.cjs PORT. Ends with "ok", or throws. Its queue is some fifty scripts in Lua.
const assert = require("node:assert/strict");
const { FlowProducer, Queue, QueueEvents, Worker } = require("bullmq");

const SECONDS = 60;

async function main(port) {
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue("mail", { connection });
  const events = new QueueEvents("mail", { connection });
  await events.waitUntilReady();
  await queue.waitUntilReady();

  const order = [];
  const attempts = {};
  const worker = new Worker(
    "mail",
    async (job) => {
      order.push(job.name);
      attempts[job.name] = (attempts[job.name] || 0) + 1;
      await job.updateProgress(50);
      await job.log(`at ${job.name}`);
      if (job.name === "flaky" && attempts.flaky < 3) throw new Error("not yet");
      if (job.name === "broken") throw new Error("never");
      return { done: job.data.n };
    },
    { connection, autorun: false, concurrency: 2 },
  );
  await worker.waitUntilReady();

  // Added while nobody works: in order of priority, and one later.
  const plain = await queue.add("plain", { n: 1 });
  await queue.add("second", { n: 2 }, { priority: 5 });
  await queue.add("first", { n: 3 }, { priority: 1 });
  const delayed = await queue.add("delayed", { n: 4 }, { delay: 300 });
  const flaky = await queue.add("flaky", { n: 5 }, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
  const broken = await queue.add("broken", { n: 6 });
  const same = await queue.add("plain", { n: 7 }, { jobId: "once" });
  assert.equal((await queue.add("plain", { n: 8 }, { jobId: "once" })).id, same.id);
  const bulk = await queue.addBulk([1, 2, 3, 4, 5].map((n) => ({ name: `bulk${n}`, data: { n } })));
  assert.equal(bulk.length, 5);
  const counts = await queue.getJobCounts("waiting", "prioritized", "delayed", "active");
  assert.deepEqual(counts, { waiting: 9, prioritized: 2, delayed: 1, active: 0 });
  await assert.rejects(queue.add("bad", {}, { jobId: "1234" }));

  const running = worker.run();
  assert.deepEqual(await plain.waitUntilFinished(events, SECONDS * 1000), { done: 1 });
  assert.deepEqual(await delayed.waitUntilFinished(events, SECONDS * 1000), { done: 4 });
  assert.deepEqual(await flaky.waitUntilFinished(events, SECONDS * 1000), { done: 5 });
  await assert.rejects(broken.waitUntilFinished(events, SECONDS * 1000), /never/);
  assert.equal(attempts.flaky, 3);
  assert.ok(order.indexOf("first") < order.indexOf("second"));
  assert.equal(await delayed.getState(), "completed");
  assert.equal(await broken.getState(), "failed");
  assert.deepEqual((await queue.getJobLogs(plain.id)).logs, ["at plain"]);
  assert.equal((await queue.getJob(plain.id)).progress, 50);

  // Failed jobs go back, finished ones away.
  const [failed] = await queue.getFailed();
  assert.equal(failed.name, "broken");
  attempts.broken = 0;
  await failed.retry();
  await assert.rejects(failed.waitUntilFinished(events, SECONDS * 1000), /never/);
  await failed.remove();
  assert.equal(await queue.getFailedCount(), 0);

  // Paused, changed, promoted.
  await queue.pause();
  const waiting = await queue.add("waiting", { n: 9 });
  await waiting.updateData({ n: 10 });
  const later = await queue.add("later", { n: 11 }, { delay: 600000 });
  await later.promote();
  await queue.resume();
  assert.deepEqual(await waiting.waitUntilFinished(events, SECONDS * 1000), { done: 10 });
  assert.deepEqual(await later.waitUntilFinished(events, SECONDS * 1000), { done: 11 });

  // A parent waits for its children.
  const flow = new FlowProducer({ connection });
  const tree = await flow.add({
    name: "parent",
    queueName: "mail",
    data: { n: 20 },
    children: [1, 2].map((n) => ({ name: "child", queueName: "mail", data: { n } })),
  });
  assert.deepEqual(await tree.job.waitUntilFinished(events, SECONDS * 1000), { done: 20 });
  assert.deepEqual(Object.values(await tree.job.getChildrenValues()).map(({ done }) => done).sort(), [1, 2]);

  // Repeated by a scheduler, and deduplicated.
  await queue.upsertJobScheduler("tick", { every: 60000 }, { name: "tick", data: { n: 30 } });
  assert.equal((await queue.getJobSchedulers())[0].key, "tick");
  assert.ok(await queue.removeJobScheduler("tick"));
  await queue.pause();
  const one = await queue.add("dedup", { n: 1 }, { deduplication: { id: "d" } });
  const two = await queue.add("dedup", { n: 2 }, { deduplication: { id: "d" } });
  assert.equal(two.id, one.id);
  await queue.resume();

  // No more than so many in a time.
  const limited = new Queue("limited", { connection });
  const limitedEvents = new QueueEvents("limited", { connection });
  await limitedEvents.waitUntilReady();
  const limitedWorker = new Worker("limited", async () => "x", { connection, limiter: { max: 2, duration: 200 } });
  const started = Date.now();
  const jobs = await limited.addBulk([1, 2, 3, 4, 5].map((n) => ({ name: "l", data: { n } })));
  for (const job of jobs) await job.waitUntilFinished(limitedEvents, SECONDS * 1000);
  assert.ok(Date.now() - started >= 390, `${Date.now() - started}`);

  await Promise.all([worker.close(), limitedWorker.close()]);
  await running;
  await queue.clean(0, 1000, "completed");
  assert.equal(await queue.getCompletedCount(), 0);
  await queue.drain(true);
  await queue.obliterate({ force: true });
  await limited.obliterate({ force: true });
  await Promise.all([queue, events, flow, limited, limitedEvents].map((part) => part.close()));
}

main(Number(process.argv[2])).then(
  () => {
    console.log("ok");
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
