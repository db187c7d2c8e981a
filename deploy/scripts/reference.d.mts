type Variable = { readonly env: string; readonly doc: string; readonly default: string; readonly defaultDoc?: string };
type Schemas = {
  readonly collector: Readonly<Record<string, Variable>>;
  readonly uploader: Readonly<Record<string, Variable>>;
};

export function variableTable(schemas: Schemas): string;
export function withVariableTable(readme: string, schemas: Schemas): string;
export function environmentFile(schemas: Schemas): string;
