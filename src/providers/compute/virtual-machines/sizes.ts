// Sizes of machines. A host gives a machine any number of processors and any memory, so beside
// Azure's names of the common sizes there is one that says exactly what a machine has:
// `Holdfast_2_4096` (processors, MiB).

export interface MachineSize {
  readonly name: string;
  readonly processors: number;
  readonly mebibytes: number;
}

const named: readonly MachineSize[] = [
  ["Standard_B1ls", 1, 512],
  ["Standard_B1s", 1, 1024],
  ["Standard_B1ms", 1, 2048],
  ["Standard_B2s", 2, 4096],
  ["Standard_B2ms", 2, 8192],
  ["Standard_B4ms", 4, 16384],
  ["Standard_B8ms", 8, 32768],
  ["Standard_D2s_v3", 2, 8192],
  ["Standard_D4s_v3", 4, 16384],
  ["Standard_D8s_v3", 8, 32768],
  ["Standard_D16s_v3", 16, 65536],
  ["Standard_D2s_v5", 2, 8192],
  ["Standard_D4s_v5", 4, 16384],
  ["Standard_D8s_v5", 8, 32768],
  ["Standard_D16s_v5", 16, 65536],
  ["Standard_DS1_v2", 1, 3584],
  ["Standard_DS2_v2", 2, 7168],
  ["Standard_DS3_v2", 4, 14336],
  ["Standard_E2s_v5", 2, 16384],
  ["Standard_E4s_v5", 4, 32768],
  ["Standard_E8s_v5", 8, 65536],
  ["Standard_F2s_v2", 2, 4096],
  ["Standard_F4s_v2", 4, 8192],
  ["Standard_F8s_v2", 8, 16384],
].map(([name, processors, mebibytes]) => ({ name, processors, mebibytes }) as MachineSize);

export const machineSizes = named;

const mebibyte = 1024 * 1024;

/** The name for a machine that was not given one. */
export function sizeNameOf(processors: number | undefined, memoryBytes: number | undefined): string {
  if (processors === undefined || memoryBytes === undefined) return "Holdfast_Unknown";
  return `Holdfast_${processors}_${Math.floor(memoryBytes / mebibyte)}`;
}

export function sizeNamed(name: string): MachineSize | undefined {
  const exact = /^Holdfast_(\d{1,4})_(\d{1,8})$/i.exec(name);
  if (exact !== null) return { name, processors: Number(exact[1]), mebibytes: Number(exact[2]) };
  return named.find((size) => size.name.toLowerCase() === name.toLowerCase());
}
