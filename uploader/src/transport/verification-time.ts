/*
 * The time by which OpenSSL judges the dates of certificates.
 *
 * Node.js offers no way to set it, and a check of our own beside `rejectUnauthorized: false` would have to do again all
 * that OpenSSL does: signatures, names, purposes, path lengths, name constraints, unknown critical extensions. OpenSSL
 * stops at no fault and keeps the last one, so that an expired date may even hide an unknown authority. So the verification
 * stays OpenSSL's, whole, and only the time that it compares dates with is replaced: clients verify by the parameters
 * that are registered under the name `ssl_server` (X509_VERIFY_PARAM_lookup), and one may register others
 * (X509_VERIFY_PARAM_add0_table). They hold for every connection of this process.
 */
import { loadCLibrary } from '@thugshells/shared/process/c-library.ts';

/** OpenSSL's <x509_vfy.h> and <x509v3.h>. */
const NO_CHECK_TIME = 0x20_0000;
const USE_CHECK_TIME = 0x2;
const PURPOSE_SSL_SERVER = 2;
const TRUST_SSL_SERVER = 3;

/** What dates are compared with: the clock of this device, a time in Unix milliseconds, or nothing. */
export type VerificationTime = 'clock' | 'none' | number;

interface VerificationParameters {
  setTime(seconds: number): void;
  setFlags(flags: number): void;
  clearFlags(flags: number): void;
}

/** Undefined until the first use; null if this Node.js does not contain the functions. */
let parameters: VerificationParameters | null | undefined;

/** Sets what the dates of certificates are compared with from now on; returns whether that is possible here. */
export function setVerificationTime(time: VerificationTime): boolean {
  // The library is not loaded for what is the default.
  if (parameters === undefined && time === 'clock') return true;
  parameters ??= registerParameters();
  if (parameters === null) return time === 'clock';
  parameters.clearFlags(NO_CHECK_TIME | USE_CHECK_TIME);
  if (time === 'none') parameters.setFlags(NO_CHECK_TIME);
  else if (time !== 'clock') parameters.setTime(Math.floor(time / 1000));
  return true;
}

function registerParameters(): VerificationParameters | null {
  type Call<A extends unknown[], R = number> = (...parameters: A) => R;
  try {
    const { func } = loadCLibrary();
    const create = func<Call<[], unknown>>('void *X509_VERIFY_PARAM_new()');
    const setName = func<Call<[unknown, string]>>('int X509_VERIFY_PARAM_set1_name(void *, const char *)');
    const setPurpose = func<Call<[unknown, number]>>('int X509_VERIFY_PARAM_set_purpose(void *, int)');
    const setTrust = func<Call<[unknown, number]>>('int X509_VERIFY_PARAM_set_trust(void *, int)');
    const register = func<Call<[unknown]>>('int X509_VERIFY_PARAM_add0_table(void *)');
    const setTime = func<Call<[unknown, number], void>>('void X509_VERIFY_PARAM_set_time(void *, int64_t)');
    const setFlags = func<Call<[unknown, number]>>('int X509_VERIFY_PARAM_set_flags(void *, unsigned long)');
    const clearFlags = func<Call<[unknown, number]>>('int X509_VERIFY_PARAM_clear_flags(void *, unsigned long)');
    const created = create();
    const results = [
      setName(created, 'ssl_server'),
      setPurpose(created, PURPOSE_SSL_SERVER),
      setTrust(created, TRUST_SSL_SERVER),
    ];
    if (results.includes(0) || register(created) === 0) return null;
    return {
      setTime: (seconds) => setTime(created, seconds),
      setFlags: (flags) => void setFlags(created, flags),
      clearFlags: (flags) => void clearFlags(created, flags),
    };
  } catch {
    // Another Node.js than the one that is delivered, or a platform without the library.
    return null;
  }
}
