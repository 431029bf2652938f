import Glibc

/// Makes a file executable; whether that was possible.
func chmodExecutable(_ path: String) -> Bool { chmod(path, 0o755) == 0 }
