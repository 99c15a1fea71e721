/* SPDX-License-Identifier: MIT */

/* `corail doctor`: what this machine offers Corail, and what to do about what it lacks. */

#include "args.h"
#include "text.h"

#include <corail/curl.h>
#include <corail/loop.h>
#include <corail/task.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Linux 6.13; older C libraries do not name it. */
#define ADVICE_GUARD_INSTALL 102

/* Two mappings for each guarded stack, on kernels without guard regions. */
#define MAP_COUNT_WANTED 262144

#define FILES_WANTED 4096

/* c-ares is linked only when the library resolves names by it. */
extern const char *ares_version(int *version) __attribute__((weak));

__attribute__((format(printf, 1, 2))) static void good(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("[ok]  ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* A warning, with what to do about it on a line of its own. */
__attribute__((format(printf, 2, 3))) static void warn(const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("[!!]  ", stdout);
	vprintf(format, args);
	printf("\n      -> %s\n", remedy);
	va_end(args);
}

/* A task that looks around. */
static int look(const char **ret_backend)
{
	*ret_backend = cr_loop_backend();
	return 0;
}

/* Whether the variables that are ours make sense: with one that does not, nothing runs. */
static bool check_environment(void)
{
	char why[256];

	if (cr_environment_check(why, sizeof why) == 0)
		return true;
	warn(tr("unset it, or give it one of those values",
	        "retirez-la de l'environnement, ou donnez-lui une de ces valeurs"),
	     tr("environment: %s", "environnement : %s"), why);
	return false;
}

/*
 * Which backend a run gets, and what keeps a better one away. Returns whether anything runs at all.
 */
static bool check_backend(void)
{
	const char *backend = NULL, *wanted = getenv("CORAIL_BACKEND");
	char why[256] = "";
	int uring = cr_loop_probe("uring", why, sizeof why);
	int r = cr_run(look, &backend);

	if (r < 0 || !backend) {
		warn(wanted ? tr("unset CORAIL_BACKEND",
		                 "retirez CORAIL_BACKEND de l'environnement")
		            : why,
		     tr("no event loop starts here: %s", "aucune boucle ne démarre ici : %s"),
		     text_error(r));
		return false;
	}
	if (wanted && *wanted && strcmp(backend, "uring") != 0) {
		good(tr("backend: %s, as CORAIL_BACKEND asks",
		        "moteur : %s, comme CORAIL_BACKEND le demande"),
		     backend);
		if (uring < 0)
			warn(why,
			     tr("io_uring would not be available: %s",
			        "io_uring ne serait pas disponible : %s"),
			     cr_err_name(uring));
	} else if (uring < 0) {
		warn(why,
		     tr("backend: %s; io_uring is faster, and not available: %s",
		        "moteur : %s ; io_uring, plus rapide, n'est pas disponible : %s"),
		     backend, cr_err_name(uring));
	} else {
		good(tr("backend: %s, the best there is", "moteur : %s, le meilleur qui soit"),
		     backend);
	}
	return true;
}

static void check_kernel(void)
{
	struct utsname system;

	if (uname(&system) == 0)
		good(tr("kernel: %s %s, %s", "noyau : %s %s, %s"), system.sysname, system.release,
		     system.machine);
}

/* A number from a file of /proc; -1 when it cannot be read. */
static long long read_number(const char *path)
{
	FILE *in = fopen(path, "re");
	long long number = -1;
	char line[32];

	if (!in)
		return -1;
	if (fgets(line, sizeof line, in))
		number = strtoll(line, NULL, 10);
	fclose(in);
	return number;
}

static void check_guards(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool installed = memory != MAP_FAILED && madvise(memory, page, ADVICE_GUARD_INSTALL) == 0;
	long long maps = read_number("/proc/sys/vm/max_map_count");

	if (memory != MAP_FAILED)
		munmap(memory, page);
	if (installed)
		good("%s", tr("stack guards: MADV_GUARD_INSTALL, which cost nothing",
		              "gardes des piles : MADV_GUARD_INSTALL, gratuites"));
	else if (maps >= 0 && maps < MAP_COUNT_WANTED)
		warn("sysctl vm.max_map_count=1048576",
		     tr("stack guards: mprotect, for about %lld tasks (vm.max_map_count is %lld); "
		        "beyond, stacks are checked at each switch",
		        "gardes des piles : mprotect, pour %lld tâches (vm.max_map_count "
		        "vaut %lld) ; au-delà, vérification à chaque bascule"),
		     maps / 2, maps);
	else
		good(tr("stack guards: mprotect; vm.max_map_count is %lld",
		        "gardes des piles : mprotect ; vm.max_map_count vaut %lld"),
		     maps);
}

static void check_memory(void)
{
	long long maps = read_number("/proc/sys/vm/max_map_count");

	if (maps >= 0)
		good(tr("memory mappings: %lld (vm.max_map_count)",
		        "projections de mémoire : %lld (vm.max_map_count)"),
		     maps);
	if (read_number("/proc/sys/vm/overcommit_memory") == 2)
		warn("sysctl vm.overcommit_memory=0", "%s",
		     tr("memory overcommit is off: each stack counts in full (256 KiB)",
		        "sans surréservation de mémoire, chaque pile compte (256 Kio)"));
}

static const char *limit_text(char *buf, size_t size, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		snprintf(buf, size, "%s", tr("unlimited", "illimité"));
	else
		snprintf(buf, size, "%llu", (unsigned long long)limit);
	return buf;
}

static void check_limits(void)
{
	struct rlimit limit;
	char soft[32], hard[32];

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit_text(soft, sizeof soft, limit.rlim_cur);
		limit_text(hard, sizeof hard, limit.rlim_max);
		if (limit.rlim_max < FILES_WANTED)
			warn(tr("raise it in /etc/security/limits.conf, or LimitNOFILE= of systemd",
			        "/etc/security/limits.conf, ou LimitNOFILE= de systemd"),
			     tr("open files: %s, at most %s", "fichiers ouverts : %s, au plus %s"),
			     soft, hard);
		else
			good(tr("open files: %s, raised up to %s as needed",
			        "fichiers ouverts : %s, relevés jusqu'à %s au besoin"),
			     soft, hard);
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		good(tr("locked memory: %s bytes (for io_uring before Linux 5.12)",
		        "mémoire verrouillée : %s octets (io_uring : avant Linux 5.12)"),
		     limit_text(soft, sizeof soft, limit.rlim_cur));
}

/* The version of liburing is in the name of its file: older ones have no function for it. */
static int find_liburing(struct dl_phdr_info *info, size_t size, void *ret_name)
{
	char *path, *slash;

	(void)size;
	if (!strstr(info->dlpi_name, "liburing.so"))
		return 0;
	path = realpath(info->dlpi_name, NULL);
	slash = path ? strrchr(path, '/') : NULL;
	snprintf(ret_name, 64, "%s", slash ? slash + 1 : info->dlpi_name);
	free(path);
	return 1;
}

static void check_libraries(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	char uring[64] = "";

	dl_iterate_phdr(find_liburing, uring);
	good("liburing: %s",
	     *uring ? uring : tr("linked in, or not used", "incluse, ou sans emploi"));
	good("c-ares: %s", ares_version ? ares_version(NULL) : tr("not used", "sans emploi"));
	good("libcurl: %s, %s%s", curl->version, curl->ssl_version ? curl->ssl_version : "-",
	     curl->features & CURL_VERSION_HTTP2 ? ", HTTP/2" : "");
	good(tr("compressed pages: %s", "pages compressées : %s"),
	     *CORAIL_CODINGS ? CORAIL_CODINGS : tr("not asked for", "non demandées"));
	if (!curl->ssl_version)
		warn(tr("install a libcurl with TLS (Debian: libcurl4)",
		        "installez une libcurl avec TLS (Debian : libcurl4)"),
		     "%s", tr("no https here", "pas de https ici"));
}

static void check_certificates(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	const char *file = curl->age >= CURLVERSION_SEVENTH ? curl->cainfo : NULL;
	const char *folder = curl->age >= CURLVERSION_SEVENTH ? curl->capath : NULL;

	if (file && access(file, R_OK) == 0)
		good(tr("certificates: %s", "certificats : %s"), file);
	else if (folder && access(folder, R_OK | X_OK) == 0)
		good(tr("certificates: %s", "certificats : %s"), folder);
	else
		warn(tr("install ca-certificates, or use corail get --cacert FILE",
		        "installez ca-certificates, ou utilisez corail get --cacert FICHIER"),
		     tr("certificates: %s cannot be read: https will fail",
		        "certificats : %s est illisible : https va échouer"),
		     file     ? file
		     : folder ? folder
		              : "-");
}

static void check_names(void)
{
	FILE *in = fopen("/etc/resolv.conf", "re");
	char line[512];
	int servers = 0;

	while (in && fgets(line, sizeof line, in))
		servers += strncmp(line, "nameserver", 10) == 0;
	if (in)
		fclose(in);
	if (servers > 0)
		good(tr("name servers: %d in /etc/resolv.conf",
		        "serveurs de noms : %d dans /etc/resolv.conf"),
		     servers);
	else
		warn(tr("add a nameserver line to /etc/resolv.conf",
		        "ajoutez une ligne nameserver à /etc/resolv.conf"),
		     "%s",
		     tr("name servers: none; only 127.0.0.1 would be asked",
		        "serveurs de noms : aucun ; seul 127.0.0.1 serait interrogé"));
}

int doctor_main(int argc, char **argv)
{
	bool runs;

	if (argc > 1) {
		bool asked = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;

		help_doctor(asked ? stdout : stderr);
		return asked ? EXIT_GOOD : EXIT_USAGE;
	}
	good("corail %s", cr_version());
	runs = check_environment() && check_backend();
	check_kernel();
	check_guards();
	check_memory();
	check_limits();
	check_libraries();
	check_certificates();
	check_names();
	return runs ? EXIT_GOOD : EXIT_SOME_FAILED;
}
