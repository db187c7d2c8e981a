export function checkAcceptance(
  document: string,
  tests: readonly { readonly fullName: string; readonly title: string; readonly status: string }[],
): string[];
