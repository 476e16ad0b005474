"""Checks what a start uses beside the configuration: keys, addresses, plugins, pages, models."""

from collections.abc import Callable
from pathlib import Path

from shared.config.key_files import resolve_key_files
from shared.config.loading import VIDEO, load_video
from shared.config.service import Config
from shared.errors import ConfigError, StartupError
from shared.redis_connection import check_address
from shared.signing import Signer
from shared.wire.curve import own_pair
from shared.wire.lines import ROLES

Step = Callable[[Config], object]


def check_start(config: Config, file: Path | None, *, models: bool = True) -> None:
    """Read every file that a configuration names, as the roles do at start-up.

    The video worker's configuration may be beside the file. With ``models``, the models are loaded
    or the inference servers queried.

    Raises:
        ConfigError: a role would not start; one line for each error.
    """
    steps: list[Step] = [_log_folder, _keys, _redis, _plugins, _page]
    steps.append(lambda config: _video_task(config, file))
    steps.append(_models if models else _site_head)
    errors = []
    for step in steps:
        try:
            step(config)
        except StartupError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))


def _log_folder(config: Config) -> None:
    """Find the folder of the log file; the file itself is the service's user's to create."""
    file = config.LUNA_PASS.logFile
    if file and not Path(file).parent.is_dir():
        raise ConfigError(f"[LUNA_PASS] logFile: {file}: there is no such folder; create it")


def _keys(config: Config) -> None:
    """Read all keys; of the transport keys, a machine has only those of its own roles."""
    resolved = resolve_key_files(config)
    Signer(resolved.LUNA_PASS.JWT)
    keys = resolved.TRANSPORT.KEYS
    for role in ROLES:
        if getattr(keys, f"{role}Secret").get_secret_value():
            own_pair(keys, role)


def _redis(config: Config) -> None:
    """Check the addresses of Redis and their TLS files, without connecting."""
    addresses = {"[SESSION_STORE] connectionString": config.SESSION_STORE.connectionString}
    video = config.MIDDLEWARES.WS.VideoRedis
    if video.isEnabled:
        place = "[MIDDLEWARES.WS.VideoRedis] args.connectionString"
        addresses[place] = video.args.connectionString
    for place, address in addresses.items():
        try:
            if address:
                check_address(address)
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error


def _plugins(config: Config) -> None:
    from aggregator.plugins.registry import Registry

    Registry(config)


def _page(config: Config) -> None:
    """Read the operator's own page and branding, if there are any."""
    from gateway.web import static_files
    from gateway.web.consent import required_version

    if config.KIOSK.isEnabled and (config.KIOSK.directory or config.KIOSK.branding):
        static_files.read(config.KIOSK, required_version(config))


def _models(config: Config) -> None:
    from inference_pool.backends import load_backend
    from inference_pool.worker import make_estimator

    make_estimator(load_backend(config), config)


def _site_head(config: Config) -> None:
    """Read the site head, where there are no models to compare it with."""
    from inference_pool.onnx.site_head import SiteHeadFile

    if config.MODELS.siteHead:
        SiteHeadFile.read(Path(config.MODELS.siteHead))


def _video_task(config: Config, file: Path | None) -> None:
    """Find the task of VideoRedis if the video worker's configuration is on this machine."""
    plugin = config.MIDDLEWARES.WS.VideoRedis
    path = video_configuration(file)
    if not plugin.isEnabled or path is None:
        return
    place = f"[MIDDLEWARES.WS.VideoRedis] args.workerTask: {path}"
    try:
        from video_builder.errors import RefusedError
        from video_builder.task import Tasks
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{place}: the Python package {error.name} is not installed; install "
            "open-lunapass[video], or remove that file if no video worker runs here"
        ) from error
    try:
        Tasks(Path(load_video(path).WORKER.task)).find(plugin.args.workerTask)
    except RefusedError as error:
        raise ConfigError(f"{place}: {error}") from error


def video_configuration(file: Path | None) -> Path | None:
    """Find the video worker's configuration: beside the service's, or at its usual place."""
    beside = file.with_name(VIDEO.default_path.name) if file else None
    return beside if beside and beside.is_file() else VIDEO.usual_path()
