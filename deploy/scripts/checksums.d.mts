export function formatChecksums(folder: string, names: readonly string[]): string;
