/** Returns the user and the password of a URL as they are sent; a `%` that begins no escape stands for itself. */
export function readUserinfo({ username, password }: URL): { readonly username: string; readonly password: string } {
  return { username: decodePart(username), password: decodePart(password) };
}

/** Returns the base64 of the credentials of a URL (RFC 7617); empty if it has none. */
export function toBasic(url: URL): string {
  const { username, password } = readUserinfo(url);
  return username === '' && password === '' ? '' : Buffer.from(`${username}:${password}`).toString('base64');
}

/** Returns the header with a proxy's credentials; no header without them. */
export function proxyAuthorization(proxy: URL): { readonly 'proxy-authorization'?: string } {
  const basic = toBasic(proxy);
  return basic === '' ? {} : { 'proxy-authorization': `Basic ${basic}` };
}

/** Decodes a part of a URL; one with a `%` that begins no escape stands for itself. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
