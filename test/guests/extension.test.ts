// The extension in a guest: it gets there, runs the guest's scripts as Azure defines it, and goes again.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  finishApplications,
  prepareApplications,
  ticksOf,
  type FinishedApplications,
  type PreparedApplications,
} from "../../src/guest/vmsnapshot/applications.ts";
import { ensureExtension, removeExtension } from "../../src/guest/vmsnapshot/install.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig[Symbol.asyncDispose]());

const configPath = "/etc/azure/VMSnapshotScriptPluginConfig.json";
const journal = "/run/journal";

beforeEach(async () => {
  await rig.shell(
    `rm -rf /etc/azure/VMSnapshot* /opt/scripts ${journal}; mkdir -p -m 755 /etc/azure /opt /opt/scripts`,
  );
});

interface Settings {
  readonly pre?: string;
  readonly post?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Scripts that write down what they do, and the configuration that names them. */
async function configure({ pre = "", post = "", config = {} }: Settings = {}): Promise<void> {
  const json = JSON.stringify({
    pluginName: "ScriptRunner",
    preScriptLocation: "/opt/scripts/pre",
    postScriptLocation: "/opt/scripts/post",
    timeoutInSeconds: 20,
    ...config,
  });
  const write = (path: string, mode: string, content: string): string =>
    `cat >${path} <<'END-OF-FILE'\n${content}\nEND-OF-FILE\nchmod ${mode} ${path}; chown 0:0 ${path}`;
  await rig.shell(
    [
      write(configPath, "600", json),
      write("/opt/scripts/pre", "700", `echo "pre $*" >>${journal}\n${pre}`),
      write("/opt/scripts/post", "700", `echo "post $*" >>${journal}\n${post}`),
    ].join("\n"),
  );
}

const written = (): Promise<string> => rig.shell(`cat ${journal} 2>/dev/null || :`);

async function prepare(): Promise<PreparedApplications> {
  const task = { taskId: newGuid(), startTicks: ticksOf(Date.now()) };
  return rig.host.withAgent(rig.machine.id, (agent) => prepareApplications(agent, task));
}

const finish = (prepared: PreparedApplications): Promise<FinishedApplications> =>
  rig.host.withAgent(rig.machine.id, (agent) => finishApplications(agent, prepared));

test("it is installed once, put back when it was changed, and leaves nothing but its logs", async () => {
  const ensure = (): ReturnType<typeof ensureExtension> =>
    rig.host.withAgent(rig.machine.id, (agent) => ensureExtension(agent));
  await rig.host.withAgent(rig.machine.id, (agent) => removeExtension(agent));
  const first = await ensure();
  assert.equal(first.isNew, true);
  assert.deepEqual(await ensure(), { ...first, isNew: false });
  assert.match(
    await rig.shell("ls /var/lib/waagent /etc/azure/holdfast"),
    /postgresql\n[^]*VMSnapshotLinux-1\.9\.1\.\d+\n/,
  );
  await rig.shell(`echo 'rm -rf /' >>${first.home}/handler`);
  assert.deepEqual(await ensure(), { ...first, isNew: false, wasChanged: true });
  assert.deepEqual(await ensure(), { ...first, isNew: false });
  // Another version takes over what was seen.
  await rig.shell(
    `cd /var/lib/waagent; n=Microsoft.Azure.RecoveryServices.VMSnapshotLinux; mv ${first.home} $n-1.0.0.0; echo 1.0.0.0 >$n.current; echo 41 >$n-1.0.0.0/config/mrseq`,
  );
  assert.deepEqual(await ensure(), first);
  assert.equal(
    (await rig.shell(`cat ${first.home}/config/mrseq; ls -d /var/lib/waagent/*-1.0.0.0 2>/dev/null || :`)).trim(),
    "41",
  );
  await rig.host.withAgent(rig.machine.id, (agent) => removeExtension(agent));
  assert.equal(await rig.shell("ls -d /var/lib/waagent /etc/azure/holdfast 2>/dev/null || :"), "");
  assert.match(await rig.shell("cat /var/log/azure/*/extension.log"), /Info {2}uninstalled/);
});

test("without a configuration there are no scripts, and that is no failure", async () => {
  const prepared = await prepare();
  assert.deepEqual([prepared.isAtRest, prepared.freezes, prepared.failure], [false, true, undefined]);
  assert.deepEqual((await finish(prepared)).failure, undefined);
});

test("the pre-script ends before, the post-script begins after; both get their arguments as they are", async () => {
  await configure({
    pre: "sleep 1; echo pre-ended >>/run/journal",
    config: { preScriptParams: ["$(reboot)", "a b", "", "*"], postScriptParams: ["'"] },
  });
  const prepared = await prepare();
  assert.equal(prepared.isAtRest, true);
  assert.equal(await written(), "pre $(reboot) a b  *\npre-ended\n");
  const finished = await finish(prepared);
  assert.deepEqual([finished.stayedAtRest, finished.failure], [true, undefined]);
  assert.equal(await written(), "pre $(reboot) a b  *\npre-ended\npost '\n");
  assert.equal(await rig.shell("ls /run/holdfast/vmsnapshot"), "");
});

test("a failing pre-script is tried again as configured, costs the level, and the post-script still runs", async () => {
  await configure({ pre: "echo the database is away; exit 7", config: { preScriptNoOfRetries: 2 } });
  const prepared = await prepare();
  assert.equal(prepared.isAtRest, false);
  assert.equal(prepared.failure?.code, "FailedPrepostPreScriptFailed");
  assert.match(prepared.failure.message, /ended with 7 in 3 tries: the database is away/);
  assert.equal((await finish(prepared)).stayedAtRest, false);
  assert.equal(await written(), "pre \npre \npre \npost \n");
});

test("with continueBackupOnFailure off, or without a freeze, a failing script is the backup's failure", async () => {
  await configure({ pre: "exit 1", config: { continueBackupOnFailure: false } });
  await assert.rejects(prepare(), { code: "FailedPrepostPreScriptFailed" });
  assert.equal(await written(), "pre \npost \n");
  await configure({ pre: "exit 1", config: { fsFreezeEnabled: "false" } });
  await assert.rejects(prepare(), { code: "FailedPrepostPreScriptFailed" });
});

test("a script that hangs is killed with all that it started, however much it prints", async () => {
  await configure({
    pre: "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & yes",
    config: { timeoutInSeconds: 2 },
  });
  const prepared = await prepare();
  assert.equal(prepared.failure?.code, "FailedPrepostPreScriptTimeout");
  await finish(prepared);
  assert.equal(await rig.shell("pgrep -f /opt/scripts/pre || :"), "");
});

test("a post-script that fails withdraws the claim", async () => {
  await configure({ post: "exit 3" });
  const prepared = await prepare();
  assert.equal(prepared.isAtRest, true);
  const finished = await finish(prepared);
  assert.deepEqual([finished.stayedAtRest, finished.failure?.code], [false, "FailedPrepostPostScriptFailed"]);
});

for (const [what, spoil, code] of [
  ["a script that is not there", "rm /opt/scripts/pre", "FailedPrepostPreScriptNotFound"],
  ["a post-script that is not there", "rm /opt/scripts/post", "FailedPrepostPostScriptNotFound"],
  ["a script that others may write", "chmod 722 /opt/scripts/pre", "FailedPrepostPreScriptPermissionError"],
  ["a script that others may read", "chmod 704 /opt/scripts/post", "FailedPrepostPostScriptPermissionError"],
  ["a script of a user's", "chown 1000 /opt/scripts/pre", "FailedPrepostPreScriptPermissionError"],
  [
    "a script that is a link",
    "mv /opt/scripts/pre /root/pre; ln -s /root/pre /opt/scripts/pre",
    "FailedPrepostPreScriptPermissionError",
  ],
  ["a script in a folder that others may write", "chmod 777 /opt/scripts", "FailedPrepostPreScriptPermissionError"],
  ["a configuration that others may read", `chmod 644 ${configPath}`, "FailedPrepostPluginConfigPermissionError"],
  ["a configuration of a user's", `chown 1000 ${configPath}`, "FailedPrepostPluginConfigOwnershipError"],
  [
    "a configuration that is a link",
    `mv ${configPath} /root/c; ln -s /root/c ${configPath}`,
    "FailedPrepostPluginConfigPermissionError",
  ],
  ["a configuration that is no JSON", `echo '{' >${configPath}`, "FailedPrepostPluginConfigParsing"],
  ["a configuration of 1 MiB", `head -c 1048576 /dev/zero >${configPath}`, "FailedPrepostPluginConfigParsing"],
  [
    "a relative path",
    `echo '{"preScriptLocation":"pre","postScriptLocation":"/b"}' >${configPath}`,
    "FailedPrepostPluginConfigParsing",
  ],
  [
    "a damaged host configuration",
    "echo nonsense >/etc/azure/VMSnapshotPluginHost.conf",
    "FailedPrepostPluginhostConfigParsing",
  ],
  [
    "a host configuration that others may write",
    "touch /etc/azure/VMSnapshotPluginHost.conf; chmod 646 /etc/azure/VMSnapshotPluginHost.conf",
    "FailedPrepostPluginhostConfigPermissionError",
  ],
  [
    "a host configuration of a user's",
    "touch /etc/azure/VMSnapshotPluginHost.conf; chown 5 /etc/azure/VMSnapshotPluginHost.conf",
    "FailedPrepostPluginhostConfigOwnershipError",
  ],
  [
    "a host configuration that names another file",
    "printf '[pre_post]\\npluginConfigPath0 = /etc/azure/none.json\\n' >/etc/azure/VMSnapshotPluginHost.conf",
    "FailedPrepostPluginConfigNotFound",
  ],
] as const) {
  test(`${what}: ${code}, nothing is run, and the backup goes on`, async () => {
    await configure();
    await rig.shell(spoil);
    const prepared = await prepare();
    assert.deepEqual([prepared.isAtRest, prepared.freezes, prepared.failure?.code], [false, true, code]);
    assert.equal((await finish(prepared)).stayedAtRest, false);
    assert.equal(await written(), "");
    await rig.shell("rm -f /root/pre /root/c");
  });
}

test("the limit of the host configuration holds for the scripts", async () => {
  await configure({ pre: "sleep 60" });
  await rig.shell("printf '# ours\\n[pre_post]\\ntimeoutInSeconds = 1\\n' >/etc/azure/VMSnapshotPluginHost.conf");
  const prepared = await prepare();
  assert.match(prepared.failure?.message ?? "", /did not end in 1 s/);
  await finish(prepared);
});

test("a supervisor that is killed does not cost the post-script; nor does a service that never comes back", async () => {
  await configure();
  const prepared = await prepare();
  await rig.shell("kill -9 $(cat /run/holdfast/vmsnapshot/*/pid)");
  assert.equal((await finish(prepared)).stayedAtRest, true);
  assert.equal(await written(), "pre \npost \n");

  // Nobody asks for its end: the time for which it may hold passes.
  await configure();
  await rig.shell(`rm -f ${journal}`);
  assert.match(await begin(prepared.extension.home, { holdSeconds: 1 }), /^pre 0/);
  await waitFor("the post-script", async () => /post/.test(await written()) || undefined, 120_000);
});

/** Begins a task as the service does, with another time for which applications wait. */
async function begin(home: string, { holdSeconds }: { holdSeconds: number }): Promise<string> {
  const taskId = newGuid();
  const settings = JSON.stringify({ publicSettings: { commandToExecute: "snapshot", taskId } });
  const script = (part: string): string => `${part} /opt/scripts/${part}\n${part}-timeout 5\n${part}-tries 1`;
  const plan = `hold ${holdSeconds}\n${script("pre")}\n${script("post")}`;
  return rig.shell(
    `s=$(printf '%s\\n%s\\n' '${settings}' '${plan}' | sh ${home}/handler put)
     ConfigSequenceNumber=$s sh ${home}/handler enable && sh ${home}/handler wait ${taskId} 10`,
  );
}

test("settings are carried out once: neither their number nor their task comes twice", async () => {
  const { extension, sequence } = await prepare();
  const enable = (number: number): Promise<string> =>
    rig.shell(`ConfigSequenceNumber=${number} sh ${extension.home}/handler enable; echo $?`);
  assert.equal(await enable(sequence), "0\n");
  const next = sequence + 1;
  await rig.shell(`cd ${extension.home}/config; cp ${sequence}.settings ${next}.settings`);
  assert.equal(await enable(next), "3\n");
  // A clone has another identity and starts anew.
  await rig.shell(`echo someone-else >${extension.home}/config/machine_identity`);
  assert.equal(await enable(next), "0\n");
  assert.match(await rig.shell(`cat ${extension.home}/status/${next}.status`), /"code":"4"/);
  assert.equal(await enable(999), "12\n");
});
