"""Django's settings: everything that is not a default, from the environment (`environment.py`) and the data folder."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from jeos.server import database, environment, outside, section, sign_in, theme
from jeos.server.secret import secret_key

ENVIRONMENT = environment.read()
DATA = ENVIRONMENT.data

SECRET_KEY = secret_key(DATA)
DEBUG = False
ALLOWED_HOSTS = list(ENVIRONMENT.hosts)
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.url]
SITE_NAME = "Appliance Exchange"

INSTALLED_APPS = [
    *section.names(),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # allauth's templates use it
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "jeos.server.api.middleware.ApiAnswers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "jeos.server.accounts.middleware.MemberLocale",
    "jeos.server.accounts.middleware.ForgetWhenSignedOut",
    "jeos.server.accounts.middleware.OrganisationsOnly",
    "jeos.server.accounts.middleware.BlockedNetworks",
    "jeos.server.content.middleware.Refusals",
    "jeos.server.content.uploads.Uploads",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jeos.server.policy.ContentSecurityPolicy",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

ROOT_URLCONF = "jeos.server.urls"
WSGI_APPLICATION = "jeos.server.wsgi.application"
DATABASES = {"default": database.configure(ENVIRONMENT.database_url, folder=DATA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

HERE = Path(__file__).parent
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [HERE / "jinja2"],
        "APP_DIRS": True,
        "OPTIONS": {
            "environment": "jeos.server.jinja.environment",
            "context_processors": ["jeos.server.jinja.once"],
        },
    },
    {  # allauth's pages are written for Django's own engine; their frame is ours
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Accounts
SIGN_IN = sign_in.read(ENVIRONMENT.sign_in)
SITE_URL = ENVIRONMENT.url
AUTH_USER_MODEL = "accounts.Member"
AUTHENTICATION_BACKENDS = [
    "jeos.server.accounts.backends.Passphrases",
    "jeos.server.accounts.backends.Directories",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # of accounts that other forums' importers bring
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "jeos.server.accounts.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = "handle"
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]
ACCOUNT_SIGNUP_FORM_HONEYPOT_FIELD = "website"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if ENVIRONMENT.secure else "http"
ACCOUNT_SESSION_REMEMBER = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = SIGN_IN.passphrases
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not ENVIRONMENT.secure  # browsers themselves allow it on localhost only
MFA_TOTP_ISSUER = SITE_NAME
SOCIALACCOUNT_ADAPTER = "jeos.server.accounts.organisations.adapter.Adapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True  # where a provider's link_by_address permits it
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"provider_class": "jeos.server.accounts.organisations.provider.Provider"}}
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"

# Cookies and headers
SESSION_ENGINE = "jeos.server.accounts.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.secure
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.secure else 0  # a year
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # allauth shows the code of a second factor as a data: image
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # bytes of a form: a post has at most a tenth of it

# The community
IDEA_VOTES = ENVIRONMENT.idea_votes  # that a member may spend on open ideas
CHANNELS = DATA / "channels"  # what was trusted of each channel, so that nothing older is believed
PRACTICE_APPROVALS = ENVIRONMENT.practice_approvals  # of peers, before a practice is called proven

# Uploaded files
FILES = ENVIRONMENT.files
FILE_KINDS = ENVIRONMENT.file_kinds  # besides pictures
FILE_BYTES = ENVIRONMENT.file_bytes
IMPORTS = ENVIRONMENT.imports  # dumps of other forums
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # bytes of an upload that are kept in memory; more is in a temporary file
DATA_UPLOAD_MAX_NUMBER_FILES = 10

# Addresses that others chose: webhooks, channels
OUTSIDE = outside.Rules(plain=ENVIRONMENT.outside_http, networks=ENVIRONMENT.outside_networks)

# Background work
TASKS = {"default": {"BACKEND": "jeos.server.jobs.backend.Backend", "QUEUES": ["default", "mail", "steps"]}}


def _mail(url: str) -> dict[str, object]:
    """Return Django's settings for sending mail through `url`, or into files without one."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend", "EMAIL_FILE_PATH": DATA / "mail"}
    parts = urlsplit(url)
    sender = parse_qs(parts.query).get("from", [f"exchange@{ENVIRONMENT.host}"])[0]
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and bool(parts.username),
        "EMAIL_TIMEOUT": 30,
        "DEFAULT_FROM_EMAIL": sender,
    }


MAIL = _mail(ENVIRONMENT.mail)
DELIVERY_BACKEND = str(MAIL.pop("EMAIL_BACKEND"))  # used by the worker; requests only put mail into the queue
EMAIL_BACKEND = "jeos.server.jobs.mail.QueueBackend"
DEFAULT_FROM_EMAIL = str(MAIL.pop("DEFAULT_FROM_EMAIL", f"exchange@{ENVIRONMENT.host}"))
globals().update(MAIL)
MAIL_REPLY = ENVIRONMENT.mail_reply  # empty: no answers by mail
MAILDIR = ENVIRONMENT.maildir

PUSH = ENVIRONMENT.push  # whom push services may write to; empty: no push

# Languages and time
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French")), ("de", _("German"))]
LOCALE_PATHS = [DATA / "locale"]

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [HERE / "static", *theme.folders(DATA)]
THEME = theme.read(DATA)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
