import { describe, expect, test } from '@jest/globals';

import { checkIntegrity } from '../../../deploy/scripts/npm-packages.ts';

const bytes = Buffer.from('abc');
/** Digests of "abc": FIPS 180-2, appendices A.1, B.1 and C.1, in base64. */
const SHA1 = 'sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=';
const SHA256 = 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=';
const SHA512 = 'sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==';

describe('checkIntegrity', () => {
  test.each([SHA1, SHA256, SHA512])('accepts bytes with the integrity %s', (integrity) => {
    expect(() => checkIntegrity('a-package', bytes, integrity)).not.toThrow();
  });

  test('refuses other bytes, and names the package and both integrities', () => {
    const check = (): void => checkIntegrity('a-package', Buffer.from('abd'), SHA256);
    expect(check).toThrow(/^cannot use a-package: its integrity is sha256-[\w+/]{43}=, pinned is sha256-ungWv48B/);
  });

  test('refuses an integrity whose digest belongs to another algorithm', () => {
    expect(() => checkIntegrity('a-package', bytes, SHA256.replace('sha256', 'sha512'))).toThrow(
      'cannot use a-package',
    );
  });

  test.each([undefined, '', 'abc', 'sha512', 'sha512-'])(
    'refuses bytes for which no integrity is pinned: %s',
    (integrity) => {
      expect(() => checkIntegrity('a-package', bytes, integrity)).toThrow(
        'cannot check a-package: no integrity is pinned for it',
      );
    },
  );
});
