import { decodePart, toBasic } from './url-credentials.ts';

/** What a secret in a text is replaced by. */
const MASK = '***';
/** A shorter secret is masked only beside its name: by itself it would be found in any text. */
const MIN_LENGTH = 4;
/** A name without a value is a secret from this length on. */
export const MIN_NAME_LENGTH = 16;
/** Parameters of receivers that are no secrets: labels, formats, databases. Any other may be a key. */
const PUBLIC_PARAMETERS =
  /^(extra_label|extra_filters(\[\])?|timestamp|format|precision|db|rp|org|bucket|tenant|replica)$/i;
/** Values of a query that are no secrets, and that any response may have. */
const COMMON = /^(true|false|null|none|\d{1,5})$/i;
const HTML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Returns a text without secrets, whatever stands around them: a receiver, a proxy or an exporter may repeat what it was
 * sent in a body, in a Location or in an error.
 *
 * @param secrets as findUrlSecrets() returns them, or tokens
 */
export function maskSecrets(text: string, secrets: Iterable<string>): string {
  const forms = [...new Set([...secrets].flatMap(toForms))].sort((a, b) => b.length - a.length);
  return forms.reduce((masked, form) => masked.replaceAll(form, MASK), text);
}

/** Whether the value of a parameter in the query of an address is no secret. */
export function isPublicParameter(name: string): boolean {
  return PUBLIC_PARAMETERS.test(decodePart(name));
}

/**
 * Returns the secrets of a URL: its password, or its user if it has no password, what a header has of them in base64, and
 * each value of its query whose parameter is not public.
 */
export function findUrlSecrets(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const parsed = new URL(url);
  const { username, password, search } = parsed;
  const secret = password === '' ? username : password;
  const values = search
    .slice(1)
    .split('&')
    .flatMap((pair) => {
      const [name = '', value] = pair.split(/=(.*)/s, 2);
      if (value === undefined) return name.length < MIN_NAME_LENGTH ? [] : [name];
      if (isCommonValue(value) || isPublicParameter(name)) return [];
      return [value.length < MIN_LENGTH ? pair : value];
    });
  return [...(secret === '' ? [] : [secret, toBasic(parsed)]), ...values];
}

/** Whether any text may have a value, so that it is no secret. */
export function isCommonValue(value: string): boolean {
  return COMMON.test(value);
}

/** Returns a secret as it may stand in a text: as it is, decoded, and encoded for a URL, JSON, HTML or a header. */
function toForms(secret: string): string[] {
  const plain = [secret, decodePart(secret), decodePart(secret.replaceAll('+', ' '))];
  const forms = plain.flatMap((text) => [
    text,
    encodeURIComponent(text),
    encodeURIComponent(text).replace(/%../g, (escape) => escape.toLowerCase()),
    encodeURIComponent(text).replaceAll('%20', '+'),
    encodeURI(text),
    JSON.stringify(text).slice(1, -1),
    text.replace(/[&<>"']/g, (character) => HTML_ESCAPES[character]!),
    // Without padding: what follows in a text may have another.
    Buffer.from(text).toString('base64').replace(/=+$/, ''),
    Buffer.from(text).toString('base64url'),
  ]);
  return forms.filter((form) => form.length >= MIN_LENGTH);
}
