// What Debian's kernel is told where a guest of ours boots under emulation: without it, more than half of
// the instructions until /init are spent on self-tests, certificates and tracing that no such guest uses.

const skipped = ["init_kprobe_trace", "load_system_certificate_list", "crypto_kdf108_init"];

export const quickBoot = [
  "quiet panic=-1 no_timer_check mitigations=off",
  "cryptomgr.notests ipv6.disable=1",
  `initcall_blacklist=${skipped.join(",")}`,
].join(" ");
