// Where a deployment goes: a resource group or a subscription.

export interface DeploymentTarget {
  readonly subscriptionId: string;
  readonly resourceGroup: string | undefined;
}

export function targetScope(target: DeploymentTarget): string {
  const subscription = `/subscriptions/${target.subscriptionId}`;
  return target.resourceGroup === undefined ? subscription : `${subscription}/resourceGroups/${target.resourceGroup}`;
}

export function deploymentId(target: DeploymentTarget, name: string): string {
  return `${targetScope(target)}/providers/Microsoft.Resources/deployments/${name}`;
}
