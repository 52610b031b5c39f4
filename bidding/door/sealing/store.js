// Where the sealed bid lies until it is handed in: the browser's private file system for this address, written as a
// stream so that memory does not grow with the bid; where a browser has none, Blobs, which it keeps as it sees fit.
// Only ciphertext comes here (docs/spec/bidfile.md §1: nothing in the file is secret without the recovery file).
import { concat } from "./primitives/bytes.js";
import { Refused } from "./primitives/refusal.js";

const FOLDER = "tradehall";
const BLOB_BYTES = 16 * 1024 * 1024;

/** A store for one file of about `bytes`: {kind, write(data), finish() → Blob, discard()}. Refused("storage_too_small"). */
export async function create(name, bytes = 0) {
  const folder = await directory();
  if (!folder) return new BlobStore();
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  if (bytes > quota - usage) throw new Refused("storage_too_small", { bytes, bytes_free: quota - usage });
  const handle = await folder.getFileHandle(name, { create: true });
  const access = await handle.createSyncAccessHandle();
  access.truncate(0);
  return new FileStore(folder, handle, access);
}

/** A file that was stored before, as a Blob; null when there is none. */
export async function find(name) {
  try {
    return await (await (await directory())?.getFileHandle(name))?.getFile() ?? null;
  } catch {
    return null;
  }
}

/** Forgets a file; nothing happens when there is none. */
export async function forget(name) {
  try {
    await (await directory())?.removeEntry(name);
  } catch {
    // There was none.
  }
}

/** Keeps everything in Blobs: also for tests, which want no file system. */
export class BlobStore {
  kind = "memory";
  #blobs = [];
  #parts = [];
  #held = 0;

  write(data) {
    this.#parts.push(data);
    this.#held += data.length;
    if (this.#held >= BLOB_BYTES) this.#flush();
  }

  async finish() {
    this.#flush();
    return new Blob(this.#blobs);
  }

  async discard() {
    this.#blobs = this.#parts = [];
  }

  #flush() {
    this.#blobs.push(new Blob([concat(...this.#parts)]));
    this.#parts = [];
    this.#held = 0;
  }
}

class FileStore {
  kind = "files";
  #folder;
  #handle;
  #access;
  #at = 0;

  constructor(folder, handle, access) {
    this.#folder = folder;
    this.#handle = handle;
    this.#access = access;
  }

  write(data) {
    for (let at = 0; at < data.length; ) {
      const written = this.#access.write(data.subarray(at), { at: this.#at + at });
      if (!written) throw new Refused("storage_too_small", { bytes: this.#at + data.length });
      at += written;
    }
    this.#at += data.length;
  }

  async finish() {
    this.#access.flush();
    this.#access.close();
    return this.#handle.getFile();
  }

  async discard() {
    this.#access.close();
    await this.#folder.removeEntry(this.#handle.name);
  }
}

async function directory() {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    return null;
  }
}
