// @ts-check
// Jobs in IndexedDB: they outlive the page. A job's rows lie in chunks beside it.
//
// job: {id, name, task, options, column, header, total, chunk, created, state, done, failed, spent}
//   state: "ready" | "running" | "paused" | "done" | "cancelled"; spent: ms of work
// chunk: {job, n, rows: [[cell]], out: null | [result | {error: {zh, en}}]}

export const SIZE = 50; // rows a request: enough to fill a batch, small enough to stop soon

const promise = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opened;
const database = () =>
  (opened ??= (() => {
    const request = indexedDB.open("qingyu", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("jobs", { keyPath: "id" });
      request.result.createObjectStore("chunks", { keyPath: ["job", "n"] });
    };
    return promise(request);
  })());

async function store(name, mode = "readonly") {
  return (await database()).transaction(name, mode).objectStore(name);
}

const whole = (id) => IDBKeyRange.bound([id, 0], [id, Infinity]);

/** Newest first. */
export async function list() {
  return (await promise((await store("jobs")).getAll())).sort((a, b) => b.created - a.created);
}

/** Writes a new job with all its rows, whole or not at all. */
export async function create({ name, task, options, column, header, rows }) {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const job = {
    id,
    name,
    task,
    options,
    column,
    header,
    total: rows.length,
    created: Date.now(),
    state: "ready",
    done: 0,
    failed: 0,
    spent: 0,
  };
  const change = (await database()).transaction(["jobs", "chunks"], "readwrite");
  const chunks = change.objectStore("chunks");
  for (let n = 0; n * SIZE < rows.length; n += 1)
    chunks.add({ job: id, n, rows: rows.slice(n * SIZE, (n + 1) * SIZE), out: null });
  change.objectStore("jobs").add(job);
  await new Promise((resolve, reject) => {
    change.oncomplete = resolve;
    change.onabort = () => reject(change.error);
  });
  return job;
}

export const save = async (job) => promise((await store("jobs", "readwrite")).put(job));
export const load = async (id) => promise((await store("jobs")).get(id));
export const chunk = async (job, n) => promise((await store("chunks")).get([job.id, n]));
export const chunks = (job) => Math.ceil(job.total / SIZE);
export const first = (job) => Math.floor(job.done / SIZE);

/** Notes the answers of a chunk and the job's progress together. */
export async function commit(job, part) {
  const change = (await database()).transaction(["jobs", "chunks"], "readwrite");
  change.objectStore("chunks").put(part);
  change.objectStore("jobs").put(job);
  await new Promise((resolve, reject) => {
    change.oncomplete = resolve;
    change.onabort = () => reject(change.error);
  });
}

export async function remove(id) {
  const change = (await database()).transaction(["jobs", "chunks"], "readwrite");
  change.objectStore("chunks").delete(whole(id));
  change.objectStore("jobs").delete(id);
  await new Promise((resolve) => {
    change.oncomplete = resolve;
  });
}
