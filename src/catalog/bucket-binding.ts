// Binds a catalog to one folder of the bucket for ever. A catalog is found by the name of its cache. If the name is
// reused for another folder, the catalog would show the former cache's paths, and delete by them.

/** Throws if the catalog is bound to another folder: every call is refused until the configuration is corrected. */
export function requireSameFolder(storage: DurableObjectStorage, name: string, folder: string): void {
  const home = storage.kv.get<string>("folder");
  if (home === undefined) storage.kv.put("folder", folder);
  if (home === undefined || home === folder) return;
  throw new Error(
    `the catalog ${name} belongs to ${where(home)} of the bucket, but the configuration uses it for ${where(folder)}: give the cache a new name`,
  );
}

function where(folder: string): string {
  return folder === "" ? "the top level" : `the folder ${folder}`;
}
