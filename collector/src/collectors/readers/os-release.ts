import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { createMalformedError } from '../../kernel/kernel-file-errors.ts';
import { createLineError, parseEachLine, quote, type KernelLine } from '../parsing/kernel-text.ts';
import { requirePrintable } from '../parsing/printable-text.ts';

/** In the order of os-release(5). */
const FILES = ['etc/os-release', 'usr/lib/os-release'] as const;

/**
 * Reads the name of the operating system; undefined if it has no os-release.
 *
 * @throws AgentError KERNEL_FILE_UNREADABLE, KERNEL_FILE_MALFORMED
 */
export async function readOsRelease(kernel: KernelSource): Promise<string | undefined> {
  for (const file of FILES) {
    const text = await readOptional(kernel.host.text(file), undefined);
    if (text !== undefined) return parseOsRelease(`/${file}`, text);
  }
  return undefined;
}

/**
 * Parses os-release(5): returns PRETTY_NAME, or NAME and VERSION. Values are words of a shell; lines of other names are not
 * judged.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseOsRelease(path: string, text: string): string {
  const values = new Map<string, string>();
  // The last line may lack its newline: an editor wrote it, not the kernel.
  const [error] = parseEachLine(path, text === '' || text.endsWith('\n') ? text : `${text}\n`, (line) => {
    const [, name, value = ''] = /^(PRETTY_NAME|NAME|VERSION)=(.*)$/.exec(line.text) ?? [];
    if (name !== undefined) values.set(name, requirePrintable({ ...line, text: unquote(line, value.trim()) }));
  });
  if (error !== undefined) throw error;
  const name = values.get('PRETTY_NAME') ?? [values.get('NAME'), values.get('VERSION')].filter(Boolean).join(' ');
  if (name === '') throw createMalformedError(path, 'neither PRETTY_NAME nor NAME');
  return name;
}

/** Removes the quotes of a word of a shell, and the backslashes that escape in it. */
function unquote(line: KernelLine, value: string): string {
  const [, mark = '', inner = ''] = /^(["']?)(.*)\1$/s.exec(value) ?? [];
  if (mark === '' && /^["']/.test(value)) throw createLineError(line, `${quote(value)} has no closing quote`);
  return mark === "'" ? inner : inner.replace(/\\([$"'\\`])/g, '$1');
}
