import { createLineError, parseAttribute, quote } from './kernel-text.ts';

/**
 * Whose attribute a temperature is: a chip's, a thermal zone's, or that of a zone of Allwinner's own kernels (3.4, 3.10),
 * which write whole degrees.
 */
export type TemperatureSource = 'chip' | 'zone' | 'allwinner zone';

/** The type of zones of Allwinner's own kernels: `sunxi-therm`, `sunxi-therm-1` (their drivers/thermal/sunxi-temperature.c). */
export const ALLWINNER_ZONE = /^sunxi-therm(-[0-9]+)?$/;
/**
 * Absolute zero in thousandths of a degree, which drivers return for a register of 0; the kernel writes -274000 for an
 * unknown temperature (THERMAL_TEMP_INVALID).
 */
const ABSOLUTE_ZERO = -273_150;
/** In degrees; thermocouples end below 1,850. Registers of all ones and failed conversions are far above. */
const HIGHEST = 2000;
/** Below this, a zone's number may be whole degrees or thousandths. As degrees it is a device's, as thousandths nearly 0 °C. */
const AMBIGUOUS_BELOW = 200;

/**
 * Parses an attribute with a temperature, in thousandths of a degree unless it is of an Allwinner zone: returns degrees
 * Celsius.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if it is no number, or one that is no temperature
 */
export function parseTemperature(path: string, text: string, source: TemperatureSource = 'chip'): number {
  const line = parseAttribute(path, text);
  if (!/^-?[0-9]{1,10}$/.test(line.text)) throw createLineError(line, `${quote(line.text)} is not a number`);
  const amount = Number(line.text);
  const isSmall = amount !== 0 && Math.abs(amount) < AMBIGUOUS_BELOW;
  if (isSmall && source === 'zone') throw createLineError(line, `${amount} may be whole degrees or thousandths`);
  const degrees = isSmall && source === 'allwinner zone' ? amount : amount / 1000;
  if (amount <= ABSOLUTE_ZERO) throw createLineError(line, `${amount} is not above absolute zero`);
  if (degrees > HIGHEST) throw createLineError(line, `${amount} is above ${HIGHEST} °C`);
  return degrees;
}
