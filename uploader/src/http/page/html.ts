/** Text that is HTML. Only this module creates it, so every other value is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type HtmlPart = Html | string | number | undefined | readonly Html[];

/** Builds HTML from a template whose parts are escaped unless they are HTML; undefined becomes an empty text. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(strings.map((fixed, index) => fixed + toText(parts[index])).join(''));
}

function toText(part: HtmlPart): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  return typeof part === 'object' ? part.map(({ text }) => text).join('\n') : escape(String(part));
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Lets a browser break names of variables, paths and addresses after their punctuation, not within their words and numbers. */
export function breakable(text: string): Html {
  return new Html(escape(text).replace(/(?<=\w)(?!(?<=\d)\.\d)[_/.:-]+(?=\w)/g, '$&<wbr>'));
}
