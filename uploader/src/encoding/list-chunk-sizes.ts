/** Sizes of the chunks of a batch that a request asks for, in samples. */
interface RequestedSizes {
  readonly chunkMetrics: number;
  readonly furtherChunkMetrics?: number;
}

/** Series in a body of a format that has whole ones; a smaller batch has fewer. */
const MIN_SERIES = 50;
/** Prometheus' suite for senders recommends 10,000 at most; the last series of a batch, fewer than MIN_SERIES, may come on top. */
const MAX_SERIES = 10_000 - MIN_SERIES;

/** Returns the number of samples of each chunk of a batch. */
export function listChunkSizes(
  lines: readonly number[],
  { chunkMetrics, furtherChunkMetrics = chunkMetrics }: RequestedSizes,
): number[] {
  const sizes: number[] = [];
  for (let left = lines.reduce((sum, samples) => sum + samples, 0); left > 0; left -= sizes.at(-1)!)
    sizes.push(Math.min(left, sizes.length === 0 ? chunkMetrics : furtherChunkMetrics));
  return sizes;
}

/** Returns the same for chunks that end with a series and have at least MIN_SERIES of them: some are larger than requested. */
export function listWholeSeriesSizes(
  lines: readonly number[],
  { chunkMetrics, furtherChunkMetrics = chunkMetrics }: RequestedSizes,
): number[] {
  const sizes: number[] = [];
  let [size, series] = [0, 0];
  for (const [line, samples] of lines.entries()) {
    size += samples;
    series += 1;
    const isLargeEnough = size >= (sizes.length === 0 ? chunkMetrics : furtherChunkMetrics) && series >= MIN_SERIES;
    const isFull = isLargeEnough || series >= MAX_SERIES;
    if (!isFull || lines.length - line - 1 < MIN_SERIES) continue;
    sizes.push(size);
    [size, series] = [0, 0];
  }
  return size === 0 ? sizes : [...sizes, size];
}
