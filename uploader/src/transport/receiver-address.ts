/** Import paths of receivers. What stands before them may be the prefix of a proxy, such as /vm or /insert/0/prometheus. */
const IMPORT_PATH = /\/+(api\/v1\/(import|write|push)(\/[a-z]+)*|api\/put|write|push|influx\/(api\/v2\/)?write)\/*$/;

/**
 * Returns the address of something that the receiver serves beside its import path: a proxy hands on what is beneath a
 * prefix, and may answer all else by itself.
 */
export function findBeside(remoteUrl: string, name: string): URL {
  const url = new URL(remoteUrl);
  const { pathname } = url;
  const prefix = IMPORT_PATH.test(pathname) ? pathname.replace(IMPORT_PATH, '') : pathname.replace(/\/[^/]*$/, '');
  url.pathname = `${prefix}/${name}`;
  url.search = '';
  url.hash = '';
  return url;
}
