import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

/** Error codes, as Node names them, that mean that this kernel, or this device at this moment, does not have the file. */
const absentReasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file: the kernel was built without it, or the device has gone',
  ENOTDIR: 'a part of the path is a file: another kernel keeps a directory there',
  ENODEV: 'sysfs still shows the attribute of a device that has just been removed',
  ENXIO: 'the driver has the attribute, but no device is attached',
  ENODATA: 'the driver has the attribute, and no value for it at the moment',
  ESRCH: 'the process has ended',
  EBUSY: 'the kernel keeps the attribute of a device that is offline, such as a core',
  ENOTSUP: 'the kernel was built with it, but it was disabled at boot (older kernels, for /proc/pressure)',
};

/** Converts the error of a failed read, by its code, to KERNEL_FILE_ABSENT or KERNEL_FILE_UNREADABLE. */
export function toKernelFileError(path: string, cause: unknown): AgentError {
  const code = toErrorCode(cause) ?? '';
  if (Object.hasOwn(absentReasons, code)) {
    return new AgentError(`${path} is absent: ${absentReasons[code]}`, { code: 'KERNEL_FILE_ABSENT', cause });
  }
  return new AgentError(`cannot read ${path}: ${toErrorMessage(cause)}`, {
    code: 'KERNEL_FILE_UNREADABLE',
    hint: `let the collector's user read ${path}; check that THUGSHELLS_PROC_ROOT is a procfs and THUGSHELLS_SYS_ROOT a sysfs`,
    cause,
  });
}

/** Creates the error for a kernel file whose text is not what the kernel documents; `cause` names the line and why. */
export function createMalformedError(path: string, cause: string): AgentError {
  return new AgentError(`cannot parse ${path}: ${cause}`, {
    code: 'KERNEL_FILE_MALFORMED',
    hint: `run: cat ${path}; if the kernel wrote this text, report it with the output of \`uname -a\``,
  });
}

/** Returns the result of a read, or `fallback` if the file is absent; rethrows other errors. */
export async function readOptional<Text, Other>(read: Promise<Text>, fallback: Other): Promise<Text | Other> {
  try {
    return await read;
  } catch (error) {
    if (toErrorCode(error) === 'KERNEL_FILE_ABSENT') return fallback;
    throw error;
  }
}
