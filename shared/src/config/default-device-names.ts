/** Host names that images and installers give: of two devices that keep one, the series are mixed at the receiver. */
const DEFAULT_NAMES: ReadonlySet<string> = new Set([
  ...['localhost', 'host', 'hostname', 'linux', 'device', 'server', 'unknown', 'none', '(none)', 'unnamed', 'changeme'],
  ...['raspberrypi', 'raspberry', 'raspbian', 'rpi', 'pi', 'raspberrypi0', 'raspberrypi2', 'raspberrypi3'],
  ...['raspberrypi4', 'raspberrypi5', 'raspberrypi0-wifi', 'raspberrypi3-64', 'raspberrypi4-64', 'raspberrypi-64'],
  ...['orangepi', 'orangepi3', 'orangepi4', 'orangepi5', 'orangepi5plus', 'orangepizero', 'orangepizero2'],
  ...['orangepizero3', 'orangepione', 'orangepipc', 'bananapi', 'bananapim2zero', 'bananapim5', 'nanopi', 'nanopi-r4s'],
  ...['nanopi-r5s', 'nanopineo', 'rock', 'rockpi', 'rock-3a', 'rock-4se', 'rock-5a', 'rock-5b', 'rock64', 'rockpro64'],
  ...[
    'radxa',
    'radxa-zero',
    'odroid',
    'odroidc4',
    'odroidhc4',
    'odroidn2',
    'odroidxu4',
    'khadas',
    'beaglebone',
    'beagle',
  ],
  ...['jetson', 'jetson-nano', 'tegra-ubuntu', 'nvidia', 'imx8', 'cubieboard', 'pine64', 'visionfive2', 'starfive'],
  ...[
    'debian',
    'ubuntu',
    'armbian',
    'dietpi',
    'alarm',
    'alarmpi',
    'archlinux',
    'archiso',
    'fedora',
    'alpine',
    'centos',
  ],
  ...['rocky', 'almalinux', 'opensuse', 'kali', 'manjaro', 'mint', 'pop-os', 'nixos', 'void', 'gentoo', 'devuan'],
  ...['openwrt', 'lede', 'buildroot', 'yocto', 'poky', 'qemux86-64', 'qemuarm64', 'libreelec', 'coreelec', 'osmc'],
  ...['homeassistant', 'hassio', 'octopi', 'volumio', 'umbrel', 'retropie', 'pihole', 'proxmox', 'pve', 'vagrant'],
]);

/** What routers and resolvers put behind a host name. */
const LOCAL_DOMAIN = /\.(local|localdomain|lan|home|home\.arpa|internal|fritz\.box)\.?$/;

/** Returns why a device should not keep its name, and what to do, as one sentence; none if the name is its own. */
export function listDeviceNotices(deviceId: string): string[] {
  const name = deviceId.toLowerCase().replace(LOCAL_DOMAIN, '');
  if (!DEFAULT_NAMES.has(name)) return [];
  return [
    `THUGSHELLS_DEVICE_ID=${deviceId}: many devices have this name, and the series of two of them would be mixed; set THUGSHELLS_DEVICE_ID to a name of this device alone`,
  ];
}
