// The deployment template that goes with restored disks: it makes the machine again, under names and in
// a network that whoever deploys it chooses.

export interface TemplateDisk {
  readonly lun: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** A managed disk that is there, or a VHD that is to be imported. */
  readonly source: { readonly kind: "managed"; readonly id: string } | { readonly kind: "vhd"; readonly uri: string };
}

export interface TemplateMachine {
  readonly name: string;
  readonly location: string;
  readonly osType: string;
  readonly vmSize: string;
  readonly tags: Readonly<Record<string, string>>;
}

const schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
const versions = { disks: "2022-07-02", networkInterfaces: "2022-07-01", virtualMachines: "2022-08-01" };

export function machineTemplate(machine: TemplateMachine, disks: readonly TemplateDisk[]): object {
  const imported = disks.flatMap(({ lun, source }) => (source.kind === "vhd" ? [{ lun, uri: source.uri }] : []));
  const parameter = (description: string, defaultValue?: string): object => ({
    type: "string",
    ...(defaultValue === undefined ? {} : { defaultValue }),
    metadata: { description },
  });
  return {
    $schema: schema,
    contentVersion: "1.0.0.0",
    parameters: {
      VirtualMachineName: parameter("The name of the machine."),
      VirtualNetwork: parameter("The virtual network that it joins."),
      VirtualNetworkResourceGroup: parameter("The resource group of that network."),
      Subnet: parameter("The subnet that it joins."),
      VmSize: parameter("Its size.", machine.vmSize),
      Location: parameter("Where it is made.", machine.location),
      ...Object.fromEntries(
        disks.map((disk) => [
          diskParameter(disk),
          parameter(
            disk.source.kind === "vhd" ? "The name of the managed disk to make." : "The id of the managed disk.",
            disk.source.kind === "vhd" ? disk.name : disk.source.id,
          ),
        ]),
      ),
    },
    variables: {
      networkInterfaceName: "[concat(parameters('VirtualMachineName'), '-nic')]",
      subnetId:
        "[resourceId(parameters('VirtualNetworkResourceGroup'), 'Microsoft.Network/virtualNetworks/subnets', parameters('VirtualNetwork'), parameters('Subnet'))]",
    },
    resources: [
      ...imported.map(({ lun, uri }) => ({
        type: "Microsoft.Compute/disks",
        apiVersion: versions.disks,
        name: `[parameters('${diskParameter({ lun })}')]`,
        location: "[parameters('Location')]",
        properties: {
          creationData: { createOption: "Import", sourceUri: uri },
          ...(lun === -1 ? { osType: machine.osType } : {}),
        },
      })),
      {
        type: "Microsoft.Network/networkInterfaces",
        apiVersion: versions.networkInterfaces,
        name: "[variables('networkInterfaceName')]",
        location: "[parameters('Location')]",
        properties: {
          ipConfigurations: [
            {
              name: "ipconfig1",
              properties: { subnet: { id: "[variables('subnetId')]" }, privateIPAllocationMethod: "Dynamic" },
            },
          ],
        },
      },
      {
        type: "Microsoft.Compute/virtualMachines",
        apiVersion: versions.virtualMachines,
        name: "[parameters('VirtualMachineName')]",
        location: "[parameters('Location')]",
        tags: machine.tags,
        dependsOn: [
          "[resourceId('Microsoft.Network/networkInterfaces', variables('networkInterfaceName'))]",
          ...imported.map(
            ({ lun }) => `[resourceId('Microsoft.Compute/disks', parameters('${diskParameter({ lun })}'))]`,
          ),
        ],
        properties: {
          hardwareProfile: { vmSize: "[parameters('VmSize')]" },
          storageProfile: storageProfile(machine, disks),
          networkProfile: {
            networkInterfaces: [
              { id: "[resourceId('Microsoft.Network/networkInterfaces', variables('networkInterfaceName'))]" },
            ],
          },
        },
      },
    ],
  };
}

function storageProfile(machine: TemplateMachine, disks: readonly TemplateDisk[]): object {
  const attach = (disk: TemplateDisk): object => ({
    createOption: "Attach",
    managedDisk: {
      id:
        disk.source.kind === "vhd"
          ? `[resourceId('Microsoft.Compute/disks', parameters('${diskParameter(disk)}'))]`
          : `[parameters('${diskParameter(disk)}')]`,
    },
  });
  const system = disks.find(({ lun }) => lun === -1);
  return {
    ...(system === undefined ? {} : { osDisk: { osType: machine.osType, ...attach(system) } }),
    dataDisks: disks.filter(({ lun }) => lun >= 0).map((disk) => ({ lun: disk.lun, ...attach(disk) })),
  };
}

function diskParameter({ lun }: Pick<TemplateDisk, "lun">): string {
  return lun === -1 ? "OsDisk" : `DataDisk${lun}`;
}
