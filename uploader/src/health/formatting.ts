/** Formats numbers for people, the same way on the page and in the terminal. */
import { formatTime } from '@thugshells/shared/state/stored-values.ts';

/** Formats a count: 12345 → `12,345` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Formats bytes by powers of a thousand, as links and cards are sold: 1234 → `1.2 kB` */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${unit > 0 && Math.abs(scaled) < 9.95 ? scaled.toFixed(1) : scaled.toFixed(0)} ${BYTE_UNITS[unit]}`;
}

/** Formats seconds with the two largest units: 3725 → `1 h 2 min` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return '0 s';
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0);
  return shown.map(([value, unit]) => `${value} ${unit}`).join(' ');
}

/** Formats seconds with the largest unit alone, rounded down: 804,000 → `9 days` */
export function roughDuration(seconds: number): string {
  const units: readonly [number, string][] = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
  ];
  const [size, name] = units.find(([each]) => seconds >= each) ?? [1, 'second'];
  const value = Math.floor(seconds / size);
  return `${count(value)} ${name}${value === 1 ? '' : 's'}`;
}

/** Formats milliseconds of work: `0.4 ms`, `12 ms`, `3.1 s` */
export function shortDuration(ms: number): string {
  if (ms >= 10_000) return duration(ms / 1000);
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(0)} ms`;
}

/** Formats an RFC 3339 time as `06:31:02` UTC, with the date if that is not the date of `now`; undefined as `never`. */
export function clockTime(time: string | undefined, now: string): string {
  if (time === undefined) return 'never';
  const clock = time.slice(11, 19);
  return time.slice(0, 10) === now.slice(0, 10) ? clock : `${time.slice(0, 10)} ${clock}`;
}

/** Formats a clock skew: `12 s ahead`, `3 d 2 h behind`; one within the error of measurement as `right to within 180 ms`. */
export function skew(ms: number, errorMs: number): string {
  if (Math.abs(ms) <= errorMs) return `right to within ${shortDuration(errorMs)}`;
  return `${shortDuration(Math.abs(ms))} ${ms >= 0 ? 'ahead' : 'behind'}`;
}

/** Formats a share from 0 to 1 in percent, rounded down: only 1 is `100 %`. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

/** Formats milliseconds as an age: `3.1 s`, `5 min 26 s` */
export function formatAge(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000);
}

/** Formats Unix milliseconds; returns undefined for undefined and for 0, which stands for never. */
export function toRfc3339(ms: number | undefined): string | undefined {
  return ms === undefined || ms === 0 ? undefined : formatTime(ms);
}
