// Small things that a page keeps in this browser: one IndexedDB database, its stores named when it is opened first.

/** The database `name` with its `stores`; gives transaction(store, mode, ask), which resolves what `ask(store)` asked for. */
export function keeper(name, stores) {
  return async function transaction(store, mode, ask) {
    const database = await opened(name, stores);
    try {
      return await new Promise((resolve, reject) => {
        const work = database.transaction(store, mode, { durability: "strict" });
        const asked = ask(work.objectStore(store));
        work.oncomplete = () => resolve(asked.result);
        work.onabort = work.onerror = () => reject(work.error);
      });
    } finally {
      database.close();
    }
  };
}

function opened(name, stores) {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => stores.forEach((store) => asked.result.createObjectStore(store));
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}
