export function modulesAtRunTime(root: string, packages: readonly string[]): string[];
export function isOfUse(path: string, isCompiled: boolean): boolean;
