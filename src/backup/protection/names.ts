// The names by which Azure's clients know a machine in a vault. All three come from the machine's group
// and name; clients cut them at `;`, and compare them without regard to case.

export interface ItemNames {
  /** `iaasvmcontainerv2;group;machine`: also `properties.containerName`. */
  readonly protectable: string;
  readonly container: string;
  readonly item: string;
  readonly group: string;
  readonly machine: string;
}

/** Of a machine by the id of its resource. */
export function itemNames(machineId: string): ItemNames {
  const [, , , , group = "", , , , machine = ""] = machineId.split("/");
  const protectable = `iaasvmcontainerv2;${group};${machine}`;
  return {
    protectable,
    container: `IaasVMContainer;${protectable}`,
    item: `VM;${protectable}`,
    group,
    machine,
  };
}

export function itemIdOf(vaultId: string, machineId: string): string {
  const { container, item } = itemNames(machineId);
  return `${vaultId}/backupFabrics/Azure/protectionContainers/${container}/protectedItems/${item}`;
}

/** Group and machine that a container's or item's name speaks of; undefined for names of other kinds. */
export function machineOfName(name: string): { readonly group: string; readonly machine: string } | undefined {
  const match = /^(?:(?:iaasvmcontainer|vm);)?iaasvmcontainerv2;([^;]+);([^;]+)$/i.exec(name);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { group: match[1], machine: match[2] };
}
