/* SPDX-License-Identifier: MIT */

/* What --help prints. The manual page man/corail.1 says more. */

#include "args.h"
#include "text.h"

static const char main_english[] =
	"corail - many downloads at once, on coroutines in C\n"
	"\n"
	"  corail get [options] URL...   download pages, all at once\n"
	"  corail demo                   see what for: one after the other, then all at once\n"
	"  corail doctor                 what this machine offers, and what it lacks\n"
	"  corail help [command]         this text, or a command's options\n"
	"  corail --version\n"
	"\n"
	"Try: corail demo\n";

static const char main_french[] =
	"corail - beaucoup de téléchargements à la fois, par coroutines en C\n"
	"\n"
	"  corail get [options] URL...   télécharge des pages, toutes à la fois\n"
	"  corail demo                   à quoi ça sert : l'une après l'autre, puis ensemble\n"
	"  corail doctor                 ce que cette machine offre, et ce qui manque\n"
	"  corail help [commande]        ce texte, ou les options d'une commande\n"
	"  corail --version\n"
	"\n"
	"Essayez : corail demo\n";

void help_main(FILE *out)
{
	fputs(tr(main_english, main_french), out);
}

static const char get_english[] =
	"Usage: corail get [options] URL...\n"
	"\n"
	"Downloads pages, many at once. Without a URL, reads them from standard input, one per\n"
	"line (blank lines and lines that start with # are left out).\n"
	"\n"
	"  -i, --input FILE      read URLs from a file, too (- is standard input)\n"
	"  -o, --output DIR      save the pages in this folder; without it they are only counted\n"
	"  -c, --concurrent N    at most N at once (100)\n"
	"      --per-host N      at most N at once from one host\n"
	"      --sequential      one after the other, in the order given\n"
	"      --timeout S       give up an attempt after S seconds (0.5 is fine)\n"
	"      --retry N         try again up to N times what may pass: refused connections,\n"
	"                        timeouts, status 408, 429 and 5xx (0)\n"
	"      --max-size SIZE   refuse larger pages (5000, 64k, 10M, 2G)\n"
	"      --digest NAME     compute each page's digest, on threads (sha256, sha512, ...)\n"
	"      --store TARGET    store the pages in the table corail_pages of sqlite:FILE or\n"
	"                        postgres://...; what is there already is not fetched again\n"
	"      --refetch         with --store: fetch it all the same\n"
	"      --cacert FILE     trust these certificates (PEM) instead of the system's\n"
	"      --json            one JSON object per page on standard output\n"
	"  -q, --quiet           errors only\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 all pages came, 1 some failed, 2 wrong usage, 130 interrupted.\n"
	"\n"
	"  corail get https://example.com https://example.org https://example.net\n"
	"  corail get -o pages -i urls.txt --retry 3 --timeout 20\n";

static const char get_french[] =
	"Usage : corail get [options] URL...\n"
	"\n"
	"Télécharge des pages, beaucoup à la fois. Sans URL, les lit sur l'entrée standard,\n"
	"une par ligne (sans compter les lignes vides ni celles qui commencent par #).\n"
	"\n"
	"  -i, --input FICHIER   lit aussi les URL d'un fichier (- est l'entrée standard)\n"
	"  -o, --output DOSSIER  y range les pages ; sans cela elles sont seulement comptées\n"
	"  -c, --concurrent N    au plus N à la fois (100)\n"
	"      --per-host N      au plus N à la fois d'un même hôte\n"
	"      --sequential      l'une après l'autre, dans l'ordre donné\n"
	"      --timeout S       abandonne un essai après S secondes (0.5 convient)\n"
	"      --retry N         réessaie jusqu'à N fois ce qui peut passer : connexions\n"
	"                        refusées, délais dépassés, statuts 408, 429 et 5xx (0)\n"
	"      --max-size TAILLE refuse les pages plus grandes (5000, 64k, 10M, 2G)\n"
	"      --digest NOM      condensat de chaque page, calculé sur des fils (sha256, ...)\n"
	"      --store CIBLE     range les pages dans la table corail_pages de sqlite:FICHIER ou\n"
	"                        postgres://... ; ce qui y est déjà n'est plus téléchargé\n"
	"      --refetch         avec --store : le télécharge quand même\n"
	"      --cacert FICHIER  certificats de confiance (PEM), au lieu de ceux du système\n"
	"      --json            un objet JSON par page sur la sortie standard\n"
	"  -q, --quiet           les erreurs seulement\n"
	"  -h, --help            ce texte\n"
	"\n"
	"Code de retour : 0 tout est venu, 1 échecs, 2 mauvais usage, 130 interrompu.\n"
	"\n"
	"  corail get https://example.com https://example.org https://example.net\n"
	"  corail get -o pages -i urls.txt --retry 3 --timeout 20\n";

void help_get(FILE *out)
{
	fputs(tr(get_english, get_french), out);
}

static const char demo_english[] =
	"Usage: corail demo\n"
	"\n"
	"Serves a few slow pages from this very program, on the loopback interface, and downloads\n"
	"them: one after the other, then all at once. Needs no internet.\n";

static const char demo_french[] =
	"Usage : corail demo\n"
	"\n"
	"Sert quelques pages lentes depuis ce programme même, sur l'interface locale, et les\n"
	"télécharge : l'une après l'autre, puis toutes à la fois. Se passe d'internet.\n";

void help_demo(FILE *out)
{
	fputs(tr(demo_english, demo_french), out);
}

static const char doctor_english[] =
	"Usage: corail doctor\n"
	"\n"
	"Says which engine Corail runs on here, why not on a better one, which limits apply, and\n"
	"what to do about each. Exit status: 0 all well or warnings only, 1 Corail cannot run.\n";

static const char doctor_french[] =
	"Usage : corail doctor\n"
	"\n"
	"Dit sur quel moteur Corail tourne ici, pourquoi pas sur un meilleur, quelles limites\n"
	"s'appliquent, et que faire. Code de retour : 0 tout va bien ou avertissements seulement,\n"
	"1 Corail ne peut pas fonctionner.\n";

void help_doctor(FILE *out)
{
	fputs(tr(doctor_english, doctor_french), out);
}
